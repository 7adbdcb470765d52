package benchmarks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/seedling-lsp/seedling/engine/eval/sandbox"
)

// python finds the interpreter that programs are run with.
func python() (string, error) {
	for _, name := range []string{"python3", "python"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		// What is found may be a shim that starts another: the interpreter knows itself.
		out, err := exec.Command(path, "-I", "-c", "import sys; print(sys.executable)").Output()
		if real := strings.TrimSpace(string(out)); err == nil && filepath.IsAbs(real) {
			return real, nil
		}
	}
	return "", errors.New("no python3 on the PATH: the benchmark's tests are Python")
}

// folder is one for a program alone, gone when it is done with.
func folder(use func(dir string) error) error {
	dir, err := os.MkdirTemp("", "seedling-eval-")
	if err != nil {
		return fmt.Errorf("a folder to run programs in: %w", err)
	}
	defer os.RemoveAll(dir)
	return use(dir)
}

// write puts a file into a program's folder.
func write(dir, name, text string) error {
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		return fmt.Errorf("a program to run: %w", err)
	}
	return nil
}

// runPython runs a program that judges itself by its exit code.
func runPython(ctx context.Context, py, text string, l sandbox.Limits) (res sandbox.Result, err error) {
	err = folder(func(dir string) error {
		if err := write(dir, "program.py", text); err != nil {
			return err
		}
		res, err = sandbox.Run(ctx, dir, l, py, "-I", "-B", "program.py")
		return err
	})
	return res, err
}

// feed runs a program in its folder with a text on its input, and gives what it wrote to its
// output, which is bounded by the limits' FileSize.
func feed(ctx context.Context, dir, input string, l sandbox.Limits, argv ...string) (string, sandbox.Result, error) {
	f, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		return "", sandbox.Result{}, fmt.Errorf("what a program writes: %w", err)
	}
	defer f.Close()
	res, err := sandbox.Program{Dir: dir, Limits: l, Argv: argv, Input: input, Output: f}.Run(ctx)
	if err != nil {
		return "", res, err
	}
	out, err := os.ReadFile(f.Name())
	if err != nil {
		return "", res, fmt.Errorf("what a program wrote: %w", err)
	}
	return string(out), res, nil
}

// toolchain is how programs of a language are made and run.
type toolchain struct {
	compile func(dir, text string) (file string, argv []string) // argv empty: there is nothing to compile
	run     func(dir, file string) []string
	limits  sandbox.Limits // of a run
}

// compiling is bounded by these: what a model wrote can make a compiler run on and on.
var compiling = sandbox.Limits{Time: time.Minute, Memory: 8 << 30, FileSize: 256 << 20}

// Limits of SAFIM's own runs (ExecEval): 2 s by the clock, three times that for Java, 2 GB. Its
// Python is PyPy with 4 s; this one is CPython, which is slower.
func limits(time time.Duration, memory int64) sandbox.Limits {
	return sandbox.Limits{Time: time, Memory: memory, FileSize: 64 << 20}
}

// tools finds a language's compiler or interpreter; why says what is missing. The languages
// are SAFIM's.
func tools(language string) (t toolchain, why string) {
	switch language {
	case "python":
		py, err := python()
		if err != nil {
			return t, "no python3 on the PATH"
		}
		return toolchain{
			compile: func(_, _ string) (string, []string) { return "main.py", nil },
			run:     func(_, file string) []string { return []string{py, "-I", "-B", "-W", "ignore", file} },
			limits:  limits(10*time.Second, 2<<30),
		}, ""
	case "cpp":
		gxx, err := exec.LookPath("g++")
		if err != nil {
			return t, "no g++ on the PATH"
		}
		return toolchain{
			compile: func(_, _ string) (string, []string) {
				return "main.cpp", []string{gxx, "-std=c++17", "-O2", "-w", "-DONLINE_JUDGE", "-include", "limits.h", "-include", "math.h", "-o", "main", "main.cpp", "-lm"}
			},
			run:    func(dir, _ string) []string { return []string{filepath.Join(dir, "main")} },
			limits: limits(2*time.Second, 2<<30),
		}, ""
	case "java":
		java, err := real("java")
		javac, err2 := real("javac")
		if err != nil || err2 != nil {
			return t, "no java and javac on the PATH"
		}
		return toolchain{
			compile: func(_, text string) (string, []string) {
				file := javaClass(text) + ".java"
				return file, []string{javac, "-J-XX:-UsePerfData", "-J-Xmx1g", "-nowarn", file}
			},
			run: func(_, file string) []string {
				return []string{java, "-XX:-UsePerfData", "-DONLINE_JUDGE=true", "-Xmx2g", "-XX:ReservedCodeCacheSize=64m", strings.TrimSuffix(file, ".java")}
			},
			limits: limits(6*time.Second, 16<<30), // of address space, of which a JVM takes much and uses little: -Xmx bounds it
		}, ""
	}
	return t, "programs in " + language + " are not run"
}

// real is a program's own file: a JVM finds its parts beside it.
func real(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

var (
	publicClass = regexp.MustCompile(`public\s+(?:final\s+|abstract\s+)*class\s+(\w+)`)
	anyClass    = regexp.MustCompile(`class\s+(\w+)`)
)

// javaClass is the class that a Java file is named after.
func javaClass(text string) string {
	for _, re := range []*regexp.Regexp{publicClass, anyClass} {
		if m := re.FindStringSubmatch(text); m != nil {
			return m[1]
		}
	}
	return "Main"
}

// build makes a program in dir of its text. ok is false where it does not compile.
func (t toolchain) build(ctx context.Context, dir, text string) (argv []string, ok bool, err error) {
	file, compile := t.compile(dir, text)
	if err := write(dir, file, text); err != nil {
		return nil, false, err
	}
	if len(compile) > 0 {
		res, err := sandbox.Run(ctx, dir, compiling, compile...)
		if err != nil || !res.Passed {
			return nil, false, err
		}
	}
	return t.run(dir, file), true, nil
}

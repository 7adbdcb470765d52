//go:build linux

package kernels

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ebitengine/purego"
)

// go test ./cuda/... -cuda is for all packages there; here it changes nothing.
var _ = flag.Bool("cuda", false, "taken, for the tests of package cuda")

var update = flag.Bool("update", false, "write the images anew (needs NVRTC 12 and ptxas)")

// nvrtc is the compiler's library, from SEEDLING_NVRTC or where the loader looks.
func nvrtc(t *testing.T) uintptr {
	names := []string{"libnvrtc.so.12", "libnvrtc.so"}
	if n := os.Getenv("SEEDLING_NVRTC"); n != "" {
		names = []string{n}
	}
	for _, n := range names {
		if h, err := purego.Dlopen(n, purego.RTLD_NOW); err == nil {
			return h
		}
	}
	if *update || os.Getenv("CI") == "true" {
		t.Fatal("no NVRTC (.ci/cuda brings it): set SEEDLING_NVRTC to libnvrtc.so.12 (Debian: libnvrtc12)")
	}
	return 0
}

// compile makes PTX of the sources for an architecture.
func compile(t *testing.T, lib uintptr, arch string) string {
	var (
		create  func(prog *uintptr, src, name string, n int32, headers, names **byte) int32
		run     func(prog uintptr, n int32, opts **byte) int32
		logSize func(prog uintptr, n *uint64) int32
		log     func(prog uintptr, buf *byte) int32
		size    func(prog uintptr, n *uint64) int32
		get     func(prog uintptr, buf *byte) int32
		version func(major, minor *int32) int32
	)
	for name, f := range map[string]any{"CreateProgram": &create, "CompileProgram": &run, "GetProgramLogSize": &logSize,
		"GetProgramLog": &log, "GetPTXSize": &size, "GetPTX": &get, "Version": &version} {
		purego.RegisterLibFunc(f, lib, "nvrtc"+name)
	}
	src, err := os.ReadFile("seedling.cu")
	if err != nil {
		t.Fatal(err)
	}
	var prog uintptr
	if r := create(&prog, string(src), "seedling.cu", 0, nil, nil); r != 0 {
		t.Fatalf("nvrtcCreateProgram: %d", r)
	}
	var opts []*byte
	for _, o := range []string{"-arch=" + arch, "-std=c++17", "-I.", "-default-device"} {
		opts = append(opts, &append([]byte(o), 0)[0])
	}
	r := run(prog, int32(len(opts)), &opts[0])
	var n uint64
	logSize(prog, &n)
	text := make([]byte, n+1)
	log(prog, &text[0])
	if r != 0 {
		t.Fatalf("nvrtcCompileProgram: %d\n%s", r, text)
	}
	size(prog, &n)
	text = make([]byte, n)
	get(prog, &text[0])
	var major, minor int32
	version(&major, &minor)
	t.Logf("NVRTC %d.%d", major, minor)
	return portable(string(bytes.TrimRight(text, "\x00")), arch)
}

// portable drops the compiler's comments, and for compute_80 what a driver of CUDA 11.8 does
// not read: the version, and a hint on bytes used that came with 8.3.
func portable(ptx, arch string) string {
	var out []string
	for l := range strings.Lines(ptx) {
		l = strings.TrimRight(l, " \n")
		switch {
		case l == "" || strings.HasPrefix(l, "//") || strings.Contains(l, "used_bytes_mask"):
		case strings.HasPrefix(l, ".version ") && arch == "compute_80":
			out = append(out, ".version 7.8")
		default:
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n") + "\n"
}

// assemble runs ptxas for the architecture: the cubin and the assembler's report.
func assemble(t *testing.T, ptx, arch string) ([]byte, string) {
	tool := os.Getenv("SEEDLING_PTXAS")
	if tool == "" {
		tool, _ = exec.LookPath("ptxas")
	}
	if tool == "" {
		if *update || os.Getenv("CI") == "true" {
			t.Fatal("no ptxas (.ci/cuda brings it): set SEEDLING_PTXAS (Debian: nvidia-cuda-toolkit)")
		}
		return nil, ""
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "seedling.ptx"), []byte(ptx), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool, "-arch="+arch, "-v", "seedling.ptx", "-o", "seedling.cubin")
	cmd.Dir = dir
	log, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("ptxas: %v\n%s", err, log)
	}
	cubin, err := os.ReadFile(filepath.Join(dir, "seedling.cubin"))
	if err != nil {
		t.Fatal(err)
	}
	return cubin, summary(string(log), arch)
}

var (
	entry = regexp.MustCompile(`Compiling entry function '(\w+)'`)
	spill = regexp.MustCompile(`(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads`)
	used  = regexp.MustCompile(`Used (\d+) registers(?:.*?, (\d+) bytes smem)?`)
)

// summary makes a line a kernel of the assembler's report.
func summary(log, arch string) string {
	var out []string
	var name, frame string
	for l := range strings.Lines(log) {
		if m := entry.FindStringSubmatch(l); m != nil {
			name = m[1]
		} else if m := spill.FindStringSubmatch(l); m != nil {
			frame = fmt.Sprintf("stack %s spill_stores %s spill_loads %s", m[1], m[2], m[3])
		} else if m := used.FindStringSubmatch(l); m != nil {
			if m[2] == "" {
				m[2] = "0"
			}
			out = append(out, fmt.Sprintf("%s %s registers %s shared %s %s\n", arch, name, m[1], m[2], frame))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "")
}

// TestImages: the committed images are what the sources give. Without it a fix in a kernel
// would be a fix in a text nobody runs.
func TestImages(t *testing.T) {
	if lib := nvrtc(t); lib != 0 {
		ptx, ptx90 := compile(t, lib, "compute_80"), compile(t, lib, "compute_90a")
		cubin, report := assemble(t, ptx90, "sm_90a")
		_, r80 := assemble(t, ptx, "sm_80")
		report = r80 + report
		if *update {
			for name, b := range map[string][]byte{"seedling.ptx": []byte(ptx), "seedling.sm_90a.ptx": []byte(ptx90), "seedling.sm_90a.cubin": cubin,
				"ptxas.txt": []byte(report), "sources.sha256": []byte(SourceHash() + "\n")} {
				if err := os.WriteFile(filepath.Join("image", name), b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			return
		}
		if ptx != PTX {
			t.Error("image/seedling.ptx is not what the sources give: run go generate ./cuda/... (another NVRTC than 12.4 may differ, too)")
		}
		if text, err := os.ReadFile("image/seedling.sm_90a.ptx"); err != nil || string(text) != ptx90 {
			t.Errorf("image/seedling.sm_90a.ptx is not what the sources give (%v)", err)
		}
		if cubin != nil {
			if !bytes.Equal(cubin, Cubin90a) {
				t.Error("image/seedling.sm_90a.cubin is not what the PTX gives")
			}
			if committed, err := os.ReadFile("image/ptxas.txt"); err != nil || string(committed) != report {
				t.Errorf("image/ptxas.txt is not the assembler's report (%v)", err)
			}
		}
	} else {
		t.Log("no NVRTC here (SEEDLING_NVRTC): only the hash is compared")
	}
	want, err := os.ReadFile("image/sources.sha256")
	if err != nil {
		t.Fatal(err)
	}
	if SourceHash() != strings.TrimSpace(string(want)) {
		t.Error("the sources changed after the images were made: run go generate ./cuda/...")
	}
}

// TestNoSpill: no kernel spills, has a stack, or takes more shared memory than a block
// gets without asking; all of a module's kernels are in the report.
func TestNoSpill(t *testing.T) {
	report, err := os.ReadFile("image/ptxas.txt")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for l := range strings.Lines(string(report)) {
		var arch, name string
		var regs, smem, stack, stores, loads int
		if _, err := fmt.Sscanf(l, "%s %s registers %d shared %d stack %d spill_stores %d spill_loads %d", &arch, &name, &regs, &smem, &stack, &stores, &loads); err != nil {
			t.Fatalf("%q: %v", l, err)
		}
		seen[arch+" "+name] = true
		if stack+stores+loads != 0 || regs > 192 || smem > 48<<10 {
			t.Errorf("spills, or takes too much: %s", l)
		}
	}
	ptx90, err := os.ReadFile("image/seedling.sm_90a.ptx")
	if err != nil {
		t.Fatal(err)
	}
	for arch, ptx := range map[string]string{"sm_80": PTX, "sm_90a": string(ptx90)} {
		for _, m := range regexp.MustCompile(`\.entry (\w+)\(`).FindAllStringSubmatch(ptx, -1) {
			if !seen[arch+" "+m[1]] {
				t.Errorf("%s of %s is not in the report", m[1], arch)
			}
			delete(seen, arch+" "+m[1])
		}
	}
	if len(seen) != 0 {
		t.Errorf("the report has kernels that the images lack: %v", seen)
	}
}

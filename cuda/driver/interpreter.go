package driver

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/seedling-lsp/seedling/cuda/ptx"
)

// Interpreter is a device that runs PTX without a card; see package ptx for what it finds.
// A fault of a kernel ends its launch with an [Error] that wraps the [ptx.Fault].
type Interpreter struct {
	Machine *ptx.Machine

	info    Device
	modules map[Module]*ptx.Module
	kernels []*ptx.Kernel
	loaded  Module
	graphs  map[Graph][]captured
	made    Graph
	taking  *[]captured // launches go there; nil: they run
}

// captured is a launch of a graph.
type captured struct {
	f           Function
	grid, block [3]int
	params      []byte
}

// NewInterpreter makes a device that describes itself as d.
func NewInterpreter(d Device, opt ptx.Options) *Interpreter {
	return &Interpreter{Machine: ptx.New(opt), info: d, modules: map[Module]*ptx.Module{}, graphs: map[Graph][]captured{}}
}

func (i *Interpreter) Device() Device { return i.info }
func (i *Interpreter) Sync() error    { return nil } // launches are over when Launch returns
func (i *Interpreter) Close() error   { return nil }

func (i *Interpreter) Load(image []byte) (Module, error) {
	m, err := i.Machine.Load(string(image))
	if err != nil {
		return 0, &Error{"cuModuleLoadData", 218, "CUDA_ERROR_INVALID_PTX", err.Error()}
	}
	i.loaded++
	i.modules[i.loaded] = m
	return i.loaded, nil
}

func (i *Interpreter) Unload(m Module) error {
	mod := i.modules[m]
	if mod == nil {
		return &Error{"cuModuleUnload", 400, "CUDA_ERROR_INVALID_HANDLE", fmt.Sprintf("module %d is not loaded", m)}
	}
	delete(i.modules, m)
	return invalid("cuModuleUnload", i.Machine.Unload(mod))
}

func (i *Interpreter) Function(m Module, name string) (Function, error) {
	var k *ptx.Kernel
	if mod := i.modules[m]; mod != nil {
		k = mod.Kernels[name]
	}
	if k == nil {
		return 0, &Error{"cuModuleGetFunction", 500, "CUDA_ERROR_NOT_FOUND", "no kernel " + name}
	}
	i.kernels = append(i.kernels, k)
	return Function(len(i.kernels)), nil
}

func (i *Interpreter) Alloc(n uint64) (Ptr, error) {
	if n == 0 || n > i.info.Free {
		return 0, &Error{"cuMemAlloc_v2", 2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"}
	}
	return Ptr(i.Machine.Alloc(n)), nil
}

// invalid is the error of a call whose arguments are wrong.
func invalid(call string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{call, 1, "CUDA_ERROR_INVALID_VALUE", err.Error()}
}

func (i *Interpreter) Free(p Ptr) error { return invalid("cuMemFree_v2", i.Machine.Free(uint64(p))) }

func (i *Interpreter) Write(to Ptr, b []byte) error {
	return invalid("cuMemcpyHtoD_v2", i.Machine.Write(uint64(to), b))
}

func (i *Interpreter) Read(from Ptr, b []byte) error {
	return invalid("cuMemcpyDtoH_v2", i.Machine.Read(uint64(from), b))
}

func (i *Interpreter) Copy(to, from Ptr, n uint64) error {
	return invalid("cuMemcpyDtoD_v2", i.Machine.Copy(uint64(to), uint64(from), n))
}

func (i *Interpreter) Fill(to Ptr, v uint32, n uint64) error {
	return invalid("cuMemsetD32_v2", i.Machine.Fill(uint64(to), v, n))
}

func (i *Interpreter) Launch(f Function, grid, block [3]int, params []byte) error {
	if f < 1 || int(f) > len(i.kernels) {
		return &Error{"cuLaunchKernel", 400, "CUDA_ERROR_INVALID_HANDLE", fmt.Sprintf("function %d", f)}
	}
	if i.taking != nil {
		*i.taking = append(*i.taking, captured{f, grid, block, bytes.Clone(params)})
		return nil
	}
	err := i.Machine.Launch(i.kernels[f-1], grid, block, 0, params)
	var fault *ptx.Fault
	if !errors.As(err, &fault) {
		return invalid("cuLaunchKernel", err)
	}
	e := &Error{"cuLaunchKernel", 719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"}
	switch fault.Kind {
	case ptx.Bounds:
		e = &Error{"cuLaunchKernel", 700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"}
	case ptx.Misaligned:
		e = &Error{"cuLaunchKernel", 716, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"}
	}
	return fmt.Errorf("%w: %w", e, fault)
}

// Capture implements Grapher: the launches have the arguments that they have now.
func (i *Interpreter) Capture(f func() error) (Graph, error) {
	var list []captured
	i.taking = &list
	err := f()
	i.taking = nil
	if err != nil {
		return 0, err
	}
	i.made++
	i.graphs[i.made] = list
	return i.made, nil
}

// Start implements Grapher.
func (i *Interpreter) Start(g Graph) error {
	list, ok := i.graphs[g]
	if !ok {
		return &Error{"cuGraphLaunch", 400, "CUDA_ERROR_INVALID_HANDLE", fmt.Sprintf("graph %d", g)}
	}
	for _, l := range list {
		if err := i.Launch(l.f, l.grid, l.block, l.params); err != nil {
			return err
		}
	}
	return nil
}

// Drop implements Grapher.
func (i *Interpreter) Drop(g Graph) error {
	if _, ok := i.graphs[g]; !ok {
		return &Error{"cuGraphExecDestroy", 400, "CUDA_ERROR_INVALID_HANDLE", fmt.Sprintf("graph %d", g)}
	}
	delete(i.graphs, g)
	return nil
}

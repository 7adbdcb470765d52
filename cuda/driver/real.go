//go:build linux

package driver

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// The oldest driver that reads our PTX (.version 7.8).
const minVersion = 11080

// cu is the driver's functions, found once; calls go through SyscallN.
type cu struct {
	init, version, count, get, name, attribute, total, retain, release, setCurrent, memInfo,
	load, unload, function, alloc, free, htod, dtoh, dtod, fill, launch, sync, errorName, errorText,
	newStream, endStream, capture, captured, instantiate, dropGraph, startGraph, dropExec uintptr
}

type real struct {
	cu     cu
	dev    uintptr
	stream uintptr // launches' own: what is captured cannot be the default one
	info   Device
	work   chan func()
	inside bool // a call of Do runs: this is the context's thread
	closed bool

	args [11]uintptr       // of a launch
	list [1]unsafe.Pointer // what its kernelParams points at
}

// Open opens a device of libcuda.so.1: number ordinal, as nvidia-smi and
// CUDA_VISIBLE_DEVICES number them, or the fittest (Any). Its error says what is missing,
// too old or unfit, and what to do.
func Open(ordinal int) (Driver, error) {
	lib, err := purego.Dlopen("libcuda.so.1", purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("%w: libcuda.so.1 does not load (%v); install NVIDIA's driver", ErrNone, err)
	}
	r := &real{work: make(chan func())}
	c := &r.cu
	for _, s := range []struct {
		name string
		to   *uintptr
	}{
		{"cuInit", &c.init}, {"cuDriverGetVersion", &c.version}, {"cuDeviceGetCount", &c.count}, {"cuDeviceGet", &c.get},
		{"cuDeviceGetName", &c.name}, {"cuDeviceGetAttribute", &c.attribute}, {"cuDeviceTotalMem_v2", &c.total},
		{"cuDevicePrimaryCtxRetain", &c.retain}, {"cuDevicePrimaryCtxRelease_v2", &c.release}, {"cuCtxSetCurrent", &c.setCurrent},
		{"cuMemGetInfo_v2", &c.memInfo}, {"cuModuleLoadData", &c.load}, {"cuModuleUnload", &c.unload},
		{"cuModuleGetFunction", &c.function}, {"cuMemAlloc_v2", &c.alloc}, {"cuMemFree_v2", &c.free},
		{"cuMemcpyHtoD_v2", &c.htod}, {"cuMemcpyDtoH_v2", &c.dtoh}, {"cuMemcpyDtoD_v2", &c.dtod}, {"cuMemsetD32_v2", &c.fill},
		{"cuStreamCreate", &c.newStream}, {"cuStreamDestroy_v2", &c.endStream}, {"cuStreamBeginCapture_v2", &c.capture}, {"cuStreamEndCapture", &c.captured},
		{"cuGraphInstantiateWithFlags", &c.instantiate}, {"cuGraphDestroy", &c.dropGraph}, {"cuGraphLaunch", &c.startGraph}, {"cuGraphExecDestroy", &c.dropExec},
		{"cuLaunchKernel", &c.launch}, {"cuCtxSynchronize", &c.sync}, {"cuGetErrorName", &c.errorName}, {"cuGetErrorString", &c.errorText},
	} {
		if *s.to, err = purego.Dlsym(lib, s.name); err != nil {
			return nil, fmt.Errorf("%w: libcuda.so.1 lacks %s: the driver is too old, CUDA 11.8 or later is needed", ErrNone, s.name)
		}
	}
	go func() { // the context's thread; unlocked never, so that it ends with its thread
		runtime.LockOSThread()
		for f := range r.work {
			f()
		}
	}()
	if err := r.on(func() error { return r.open(ordinal) }); err != nil {
		close(r.work)
		return nil, err
	}
	return r, nil
}

// Do implements Batcher.
func (r *real) Do(f func() error) error {
	return r.on(func() error {
		was := r.inside
		r.inside = true
		defer func() { r.inside = was }() // Capture does within Do
		return f()
	})
}

// on runs f on the context's thread.
func (r *real) on(f func() error) error {
	if r.inside {
		return f()
	}
	done := make(chan error, 1)
	r.work <- func() { done <- f() }
	return <-done
}

// call calls a function of the driver. Its callers convert pointers to uintptr in its
// arguments: what these point at must be on the heap and stay, or a stack that grows on the
// way leaves the driver with an address of old.
//
//go:uintptrescapes
func (r *real) call(name string, fn uintptr, args ...uintptr) error {
	code, _, _ := purego.SyscallN(fn, args...)
	if int32(code) == 0 {
		return nil
	}
	return r.failure(name, code)
}

// failure is an error with the driver's own words.
func (r *real) failure(name string, code uintptr) error {
	e := &Error{Call: name, Code: int(int32(code)), Name: "CUDA_ERROR", Text: "the driver has no text for it"}
	for _, t := range []struct {
		fn uintptr
		to *string
	}{{r.cu.errorName, &e.Name}, {r.cu.errorText, &e.Text}} {
		var p *byte
		if ret, _, _ := purego.SyscallN(t.fn, code, uintptr(unsafe.Pointer(&p))); int32(ret) == 0 && p != nil {
			*t.to = cstring(p)
		}
	}
	return e
}

func cstring(p *byte) string {
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(p), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(p, n))
}

func (r *real) open(ordinal int) error {
	c := &r.cu
	if err := r.call("cuInit", c.init, 0); err != nil {
		return fmt.Errorf("%w: %w", ErrNone, err)
	}
	var version, count, dev int32
	if err := r.call("cuDriverGetVersion", c.version, uintptr(unsafe.Pointer(&version))); err != nil {
		return err
	}
	r.info.Version = int(version)
	if version < minVersion {
		return fmt.Errorf("%w: the driver is for CUDA %d.%d, 11.8 or later is needed: update it", ErrNone, version/1000, version%1000/10)
	}
	if err := r.call("cuDeviceGetCount", c.count, uintptr(unsafe.Pointer(&count))); err != nil {
		return fmt.Errorf("%w: %w", ErrNone, err)
	}
	all := make([]Device, count)
	for i := range all {
		if err := r.describe(i, &all[i]); err != nil {
			return err
		}
	}
	n, err := choose(all, ordinal)
	if err != nil {
		return err
	}
	r.info = all[n]
	r.info.Version = int(version)
	if err := r.call("cuDeviceGet", c.get, uintptr(unsafe.Pointer(&dev)), uintptr(n)); err != nil {
		return err
	}
	r.dev = uintptr(dev)
	var ctx uintptr
	if err := r.call("cuDevicePrimaryCtxRetain", c.retain, uintptr(unsafe.Pointer(&ctx)), r.dev); err != nil {
		return err
	}
	err = r.call("cuCtxSetCurrent", c.setCurrent, ctx)
	if err == nil {
		err = r.call("cuMemGetInfo_v2", c.memInfo, uintptr(unsafe.Pointer(&r.info.Free)), uintptr(unsafe.Pointer(&r.info.Total)))
	}
	if err == nil { // a stream that keeps its order with the copies, which are the default one's
		err = r.call("cuStreamCreate", c.newStream, uintptr(unsafe.Pointer(&r.stream)), 0)
	}
	if err != nil {
		r.call("cuDevicePrimaryCtxRelease_v2", c.release, r.dev)
	}
	return err
}

// describe fills in what is known of a device before it is opened.
func (r *real) describe(i int, d *Device) error {
	c := &r.cu
	var dev int32
	if err := r.call("cuDeviceGet", c.get, uintptr(unsafe.Pointer(&dev)), uintptr(i)); err != nil {
		return err
	}
	name := make([]byte, 256)
	if err := r.call("cuDeviceGetName", c.name, uintptr(unsafe.Pointer(&name[0])), 256, uintptr(dev)); err != nil {
		return err
	}
	d.Name = cstring(&name[0])
	for attr, to := range map[uintptr]*int{75: &d.Major, 76: &d.Minor, 16: &d.SMs} {
		var v int32
		if err := r.call("cuDeviceGetAttribute", c.attribute, uintptr(unsafe.Pointer(&v)), attr, uintptr(dev)); err != nil {
			return err
		}
		*to = int(v)
	}
	return r.call("cuDeviceTotalMem_v2", c.total, uintptr(unsafe.Pointer(&d.Total)), uintptr(dev))
}

func (r *real) Device() Device { return r.info }

func (r *real) Load(image []byte) (m Module, err error) {
	image = append(image[:len(image):len(image)], 0) // PTX ends with a zero; a cubin knows its length
	var h uintptr
	err = r.on(func() error {
		return r.call("cuModuleLoadData", r.cu.load, uintptr(unsafe.Pointer(&h)), uintptr(unsafe.Pointer(&image[0])))
	})
	return Module(h), err
}

func (r *real) Unload(m Module) error {
	return r.on(func() error { return r.call("cuModuleUnload", r.cu.unload, uintptr(m)) })
}

func (r *real) Function(m Module, name string) (f Function, err error) {
	var h uintptr
	text := append([]byte(name), 0)
	err = r.on(func() error {
		return r.call("cuModuleGetFunction", r.cu.function, uintptr(unsafe.Pointer(&h)), uintptr(m), uintptr(unsafe.Pointer(&text[0])))
	})
	return Function(h), err
}

func (r *real) Alloc(n uint64) (p Ptr, err error) {
	err = r.on(func() error {
		return r.call("cuMemAlloc_v2", r.cu.alloc, uintptr(unsafe.Pointer(&p)), uintptr(n))
	})
	return p, err
}

func (r *real) Free(p Ptr) error {
	return r.on(func() error { return r.call("cuMemFree_v2", r.cu.free, uintptr(p)) })
}

func (r *real) Write(to Ptr, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return r.on(func() error {
		return r.call("cuMemcpyHtoD_v2", r.cu.htod, uintptr(to), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	})
}

func (r *real) Read(from Ptr, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return r.on(func() error {
		return r.call("cuMemcpyDtoH_v2", r.cu.dtoh, uintptr(unsafe.Pointer(&b[0])), uintptr(from), uintptr(len(b)))
	})
}

func (r *real) Copy(to, from Ptr, n uint64) error {
	return r.on(func() error { return r.call("cuMemcpyDtoD_v2", r.cu.dtod, uintptr(to), uintptr(from), uintptr(n)) })
}

func (r *real) Fill(to Ptr, v uint32, n uint64) error {
	return r.on(func() error { return r.call("cuMemsetD32_v2", r.cu.fill, uintptr(to), uintptr(v), uintptr(n)) })
}

// Launch makes no garbage and, inside Do, changes no thread. params is on the heap, where
// it stays: the driver copies it before it returns.
func (r *real) Launch(f Function, grid, block [3]int, params []byte) error {
	if !r.inside {
		return r.on(func() error { return r.launch(f, grid, block, params) })
	}
	return r.launch(f, grid, block, params)
}

func (r *real) launch(f Function, grid, block [3]int, params []byte) error {
	r.list[0] = unsafe.Pointer(&params[0])
	r.args = [11]uintptr{uintptr(f), uintptr(grid[0]), uintptr(grid[1]), uintptr(grid[2]),
		uintptr(block[0]), uintptr(block[1]), uintptr(block[2]), 0, r.stream, uintptr(unsafe.Pointer(&r.list[0])), 0}
	code, _, _ := purego.SyscallN(r.cu.launch, r.args[:]...)
	runtime.KeepAlive(params)
	if int32(code) != 0 {
		return r.failure("cuLaunchKernel", code)
	}
	return nil
}

// Capture implements Grapher.
func (r *real) Capture(f func() error) (g Graph, err error) {
	err = r.Do(func() error {
		if err := r.call("cuStreamBeginCapture_v2", r.cu.capture, r.stream, 1); err != nil { // 1: of this thread
			return err
		}
		failed := f()
		var graph, exec uintptr
		if err := r.call("cuStreamEndCapture", r.cu.captured, r.stream, uintptr(unsafe.Pointer(&graph))); err != nil || failed != nil {
			if graph != 0 {
				r.call("cuGraphDestroy", r.cu.dropGraph, graph)
			}
			return errors.Join(failed, err)
		}
		err := r.call("cuGraphInstantiateWithFlags", r.cu.instantiate, uintptr(unsafe.Pointer(&exec)), graph, 0)
		if err = errors.Join(err, r.call("cuGraphDestroy", r.cu.dropGraph, graph)); err != nil {
			if exec != 0 {
				r.call("cuGraphExecDestroy", r.cu.dropExec, exec)
			}
			return err
		}
		g = Graph(exec)
		return nil
	})
	return g, err
}

// Start implements Grapher.
func (r *real) Start(g Graph) error {
	return r.on(func() error { return r.call("cuGraphLaunch", r.cu.startGraph, uintptr(g), r.stream) })
}

// Drop implements Grapher.
func (r *real) Drop(g Graph) error {
	return r.on(func() error { return r.call("cuGraphExecDestroy", r.cu.dropExec, uintptr(g)) })
}

func (r *real) Sync() error {
	return r.on(func() error { return r.call("cuCtxSynchronize", r.cu.sync) })
}

func (r *real) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	err := r.on(func() error {
		return errors.Join(r.call("cuStreamDestroy_v2", r.cu.endStream, r.stream), r.call("cuDevicePrimaryCtxRelease_v2", r.cu.release, r.dev))
	})
	close(r.work)
	return err
}

//go:build linux

package driver

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// The oldest driver that reads our PTX (.version 7.8), and the oldest card it is for.
const (
	minVersion = 11080
	minMajor   = 8
)

// cu is the driver's functions, found once; calls go through SyscallN.
type cu struct {
	init, version, count, get, name, attribute, total, retain, release, setCurrent, memInfo,
	load, unload, function, alloc, free, htod, dtoh, dtod, fill, launch, sync, errorName, errorText uintptr
}

type real struct {
	cu     cu
	dev    uintptr
	info   Device
	work   chan func()
	closed bool
}

// Open opens device number ordinal of libcuda.so.1. Its error says what is missing, too
// old or unfit, and what to do.
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

// on runs f on the context's thread.
func (r *real) on(f func() error) error {
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
	if ordinal < 0 || ordinal >= int(count) {
		return fmt.Errorf("%w: device %d of %d", ErrNone, ordinal, count)
	}
	if err := r.call("cuDeviceGet", c.get, uintptr(unsafe.Pointer(&dev)), uintptr(ordinal)); err != nil {
		return err
	}
	r.dev = uintptr(dev)
	name := make([]byte, 256)
	if err := r.call("cuDeviceGetName", c.name, uintptr(unsafe.Pointer(&name[0])), 256, r.dev); err != nil {
		return err
	}
	r.info.Name = cstring(&name[0])
	for attr, to := range map[uintptr]*int{75: &r.info.Major, 76: &r.info.Minor, 16: &r.info.SMs} {
		var v int32
		if err := r.call("cuDeviceGetAttribute", c.attribute, uintptr(unsafe.Pointer(&v)), attr, r.dev); err != nil {
			return err
		}
		*to = int(v)
	}
	if r.info.Major < minMajor {
		return fmt.Errorf("%w: %s has compute capability %d.%d, 8.0 (A100) or later is needed", ErrNone, r.info.Name, r.info.Major, r.info.Minor)
	}
	var ctx uintptr
	if err := r.call("cuDevicePrimaryCtxRetain", c.retain, uintptr(unsafe.Pointer(&ctx)), r.dev); err != nil {
		return err
	}
	err := r.call("cuCtxSetCurrent", c.setCurrent, ctx)
	if err == nil {
		err = r.call("cuMemGetInfo_v2", c.memInfo, uintptr(unsafe.Pointer(&r.info.Free)), uintptr(unsafe.Pointer(&r.info.Total)))
	}
	if err != nil {
		r.call("cuDevicePrimaryCtxRelease_v2", c.release, r.dev)
	}
	return err
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

func (r *real) Launch(f Function, grid, block [3]int, params []byte) error {
	return r.on(func() error {
		var pin runtime.Pinner // the array holds an address of Go memory
		defer pin.Unpin()
		pin.Pin(&params[0])
		list := [1]unsafe.Pointer{unsafe.Pointer(&params[0])}
		return r.call("cuLaunchKernel", r.cu.launch, uintptr(f), uintptr(grid[0]), uintptr(grid[1]), uintptr(grid[2]),
			uintptr(block[0]), uintptr(block[1]), uintptr(block[2]), 0, 0, uintptr(unsafe.Pointer(&list[0])), 0)
	})
}

func (r *real) Sync() error {
	return r.on(func() error { return r.call("cuCtxSynchronize", r.cu.sync) })
}

func (r *real) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	err := r.on(func() error { return r.call("cuDevicePrimaryCtxRelease_v2", r.cu.release, r.dev) })
	close(r.work)
	return err
}

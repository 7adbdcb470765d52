package model

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Without these checks a hostile or damaged header reads out of the file, allocates what
// it pleases, or loads a model that is silently wrong.
func TestHeaderRefuses(t *testing.T) {
	const ok = `{"dtype":"I8","shape":[4],"data_offsets":[0,4]}`
	for _, c := range []struct{ name, header, want string }{
		{"empty", ``, "begin with '{'"},
		{"space first", ` {"a":` + ok + `}`, "begin with '{'"},
		{"array", `[]`, "begin with '{'"},
		{"cut", `{"a":{"dtype":"I8","sha`, "string without an end"},
		{"cut after a key", `{"a"`, "':' expected"},
		{"cut after a value", `{"a":` + ok, "'}' expected"},
		{"trailing comma", `{"a":` + ok + `,}`, `'"' expected`},
		{"something after", `{"a":` + ok + `}x`, "follows"},
		{"zero byte after", `{"a":` + ok + "}\x00", "follows"},
		{"null", `{"a":null}`, "'{' expected"},
		{"bad UTF-8", "{\"\xff\":" + ok + `}`, "UTF-8"},
		{"raw control", "{\"a\n\":" + ok + `}`, "control character"},
		{"bad escape", `{"\x":` + ok + `}`, "invalid"},
		{"escape at the end", `{"\`, "without an end"},
		{"duplicate", `{"a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"I8","shape":[2],"data_offsets":[2,4]}}`, "twice"},
		{"escaped duplicate", `{"a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]},"\u0061":{"dtype":"I8","shape":[2],"data_offsets":[2,4]}}`, "twice"},
		{"duplicate metadata", `{"__metadata__":{},"__metadata__":{},"a":` + ok + `}`, "twice"},
		{"duplicate metadata key", `{"__metadata__":{"x":"1","x":"2"},"a":` + ok + `}`, "twice"},
		{"metadata number", `{"__metadata__":{"x":1},"a":` + ok + `}`, `'"' expected`},
		{"duplicate key", `{"a":{"dtype":"I8","dtype":"I8","shape":[4],"data_offsets":[0,4]}}`, "twice"},
		{"unknown key", `{"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4],"x":1}}`, "unknown key"},
		{"key in capitals", `{"a":{"DType":"I8","shape":[4],"data_offsets":[0,4]}}`, "unknown key"},
		{"no dtype", `{"a":{"shape":[4],"data_offsets":[0,4]}}`, "must all be given"},
		{"no shape", `{"a":{"dtype":"I8","data_offsets":[0,4]}}`, "must all be given"},
		{"no offsets", `{"a":{"dtype":"I8","shape":[4]}}`, "must all be given"},
		{"unknown dtype", `{"a":{"dtype":"I64","shape":[4],"data_offsets":[0,4]}}`, "dtype"},
		{"small dtype", `{"a":{"dtype":"i8","shape":[4],"data_offsets":[0,4]}}`, "dtype"},
		{"negative", `{"a":{"dtype":"I8","shape":[-4],"data_offsets":[0,4]}}`, "whole number"},
		{"fraction", `{"a":{"dtype":"I8","shape":[4.0],"data_offsets":[0,4]}}`, "']' expected"},
		{"exponent", `{"a":{"dtype":"I8","shape":[4e0],"data_offsets":[0,4]}}`, "']' expected"},
		{"leading zero", `{"a":{"dtype":"I8","shape":[04],"data_offsets":[0,4]}}`, "whole number"},
		{"string number", `{"a":{"dtype":"I8","shape":["4"],"data_offsets":[0,4]}}`, "whole number"},
		{"above int64", `{"a":{"dtype":"I8","shape":[9223372036854775808],"data_offsets":[0,4]}}`, "too large"},
		{"product overflows", `{"a":{"dtype":"I8","shape":[4294967296,4294967296],"data_offsets":[0,4]}}`, "too many"},
		{"product overflows to 4", `{"a":{"dtype":"I8","shape":[4611686018427387905,4],"data_offsets":[0,4]}}`, "too many"},
		{"bytes overflow", `{"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}}`, "too many"},
		{"five dimensions", `{"a":{"dtype":"I8","shape":[1,1,1,1,4],"data_offsets":[0,4]}}`, "dimensions"},
		{"empty shape", `{"a":{"dtype":"I8","shape":[0],"data_offsets":[0,0]},"b":` + ok + `}`, "empty"},
		{"shape and offsets differ", `{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,4]}}`, "takes 16 bytes"},
		{"offsets backwards", `{"a":{"dtype":"I8","shape":[4],"data_offsets":[4,0]}}`, "leave the file"},
		{"offset beyond", `{"a":{"dtype":"I8","shape":[4],"data_offsets":[1,5]}}`, "leave the file"},
		{"one offset", `{"a":{"dtype":"I8","shape":[4],"data_offsets":[0]}}`, "two numbers"},
		{"three offsets", `{"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4,4]}}`, "more than two"},
		{"overlap", `{"a":{"dtype":"I8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"I8","shape":[2],"data_offsets":[2,4]}}`, "overlaps"},
		{"same place", `{"a":` + ok + `,"b":` + ok + `}`, "overlaps"},
		{"gap", `{"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"I8","shape":[2],"data_offsets":[2,4]}}`, "belong to no tensor"},
		{"gap first", `{"a":{"dtype":"I8","shape":[3],"data_offsets":[1,4]}}`, "belong to no tensor"},
		{"gap last", `{"a":{"dtype":"I8","shape":[3],"data_offsets":[0,3]}}`, "belong to no tensor"},
		{"no tensor", `{}`, "belong to no tensor"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := withHeader(c.header, make([]byte, 4))
			_, _, err := readTensors(bytes.NewReader(file), int64(len(file)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// Strictness must not refuse what the format allows: any key order, spaces between,
// escapes, scalars, padding.
func TestHeaderAccepts(t *testing.T) {
	file := withHeader("{ \"b\\u0062\" : {\"data_offsets\":[1,3],\n\"shape\":[ 2 , 1 ],\"dtype\":\"I8\"},\r\n"+
		`"__metadata__":{"format":"pt","ü":"\n"},"":{"dtype":"I8","shape":[],"data_offsets":[0,1]}}   `, []byte{1, 2, 255})
	got, meta, err := readTensors(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	want := []Tensor{
		{Name: "", DType: I8, Shape: []int{}, I8: []int8{1}},
		{Name: "bb", DType: I8, Shape: []int{2, 1}, I8: []int8{2, -1}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]string{"format": "pt", "ü": "\n"}, meta); d != "" {
		t.Error(d)
	}
}

// A length field that lies is the first thing a cut or hostile file shows.
func TestHeaderLength(t *testing.T) {
	good := withHeader(`{"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]}}`, make([]byte, 4))
	for n := range good {
		if _, _, err := readTensors(bytes.NewReader(good[:n]), int64(n)); err == nil {
			t.Errorf("the first %d of %d bytes are taken for a whole file", n, len(good))
		}
	}
	for _, n := range []uint64{1 << 63, 1<<64 - 1, 1 << 40, uint64(len(good)) - 7, 0} {
		bad := bytes.Clone(good)
		for i := range 8 {
			bad[i] = byte(n >> (8 * i))
		}
		if _, _, err := readTensors(bytes.NewReader(bad), int64(len(bad))); err == nil {
			t.Errorf("header length %d is believed", n)
		}
	}
	// The size of the file was right when asked for, but the data ended earlier.
	if _, _, err := readTensors(bytes.NewReader(good[:len(good)-1]), int64(len(good))); err == nil || !strings.Contains(err.Error(), `tensor "a"`) {
		t.Errorf("error %v, want one that names the tensor", err)
	}
}

func TestWriteTensorsRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []Tensor
	}{
		{"twice", []Tensor{{Name: "a", DType: I8, I8: []int8{1}}, {Name: "a", DType: I8, I8: []int8{1}}}},
		{"metadata's name", []Tensor{{Name: "__metadata__", DType: I8, I8: []int8{1}}}},
		{"too few values", []Tensor{{Name: "a", DType: F32, Shape: []int{2}, F32: []float32{1}}}},
		{"wrong slice", []Tensor{{Name: "a", DType: I8, Shape: []int{1}, F32: []float32{1}}}},
		{"both slices", []Tensor{{Name: "a", DType: I8, Shape: []int{1}, I8: []int8{1}, F32: []float32{1}}}},
		{"no type", []Tensor{{Name: "a", Shape: []int{1}, F32: []float32{1}}}},
		{"F16", []Tensor{{Name: "a", DType: F16, Shape: []int{1}, F32: []float32{1}}}},
		{"empty", []Tensor{{Name: "a", DType: F32, Shape: []int{0}, F32: []float32{}}}},
		{"overflow", []Tensor{{Name: "a", DType: F32, Shape: []int{1 << 32, 1 << 32}, F32: []float32{}}}},
		{"rank 5", []Tensor{{Name: "a", DType: I8, Shape: []int{1, 1, 1, 1, 1}, I8: []int8{1}}}},
	} {
		path := t.TempDir() + "/x"
		if err := WriteTensors(path, c.in, nil); err == nil {
			t.Errorf("%s: written", c.name)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: a file was left", c.name)
		}
	}
}

// FuzzHeader: no file panics the reader, and what it accepts is what it wrote down:
// written again and read again it is the same, and its tensors are the whole file.
func FuzzHeader(f *testing.F) {
	ok := `{"__metadata__":{"format":"pt"},"a\u0062":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[8,12]},"c":{"dtype":"I8","shape":[],"data_offsets":[12,13]}}`
	f.Add(withHeader(ok, make([]byte, 13)))
	f.Add(withHeader(strings.ReplaceAll(ok, "BF16", "F16"), bytes.Repeat([]byte{0xfe}, 13)))
	f.Add(withHeader(strings.ReplaceAll(ok, "8", "18446744073709551615"), make([]byte, 13)))
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 127, '{', '}'})
	f.Add(withHeader(`{}`, nil))
	f.Fuzz(func(t *testing.T, file []byte) {
		tensors, meta, err := readTensors(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		header, data := split(file)
		total := 0
		for i := range tensors {
			total += max(len(tensors[i].F32), len(tensors[i].I8)) * tensors[i].DType.Size()
			if tensors[i].DType == F16 {
				tensors[i].DType = F32 // F16 is never written
			}
		}
		if total != len(data) {
			t.Fatalf("tensors of %d bytes from %d bytes of data; header %q", total, len(data), header)
		}
		var b bytes.Buffer
		if err := writeTensors(&b, tensors, meta); err != nil {
			t.Fatalf("read, but not written again: %v; header %q", err, header)
		}
		again, metaAgain, err := readTensors(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatalf("written, but not read again: %v", err)
		}
		if d := cmp.Diff(tensors, again, cmpopts.EquateNaNs()) + cmp.Diff(meta, metaAgain); d != "" {
			t.Fatal(d)
		}
	})
}

// ExampleWriteTensors shows what a header looks like.
func ExampleWriteTensors() {
	h, _ := encodeHeader([]Tensor{{Name: "step", DType: F32, F32: []float32{7}}}, map[string]string{"format": "pt"})
	fmt.Printf("%d %s|", h[0], h[8:])
	// Output: 88 {"__metadata__":{"format":"pt"},"step":{"dtype":"F32","shape":[],"data_offsets":[0,4]}} |
}

package model

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
)

// int8ModelType is the model_type of an int8 directory, so that transformers refuses it.
// A quantization_config with a method of ours does not do: transformers 5 warns, leaves
// the scales out and runs on the integers.
const int8ModelType = "seedling_int8"

// DType is the type in which Save writes w: I8 if its embedding is, else BF16 if
// Config.TorchDType is "bfloat16", else F32.
func (w *Weights) DType() DType {
	switch {
	case w.Embed.I8 != nil:
		return I8
	case w.Config.TorchDType == "bfloat16":
		return BF16
	}
	return F32
}

// Save writes w as a model directory in the type that [Weights.DType] names. See
// [Weights.SaveAs].
func (w *Weights) Save(dir string) error { return w.SaveAs(dir, w.DType()) }

// SaveAs writes config.json and model.safetensors to dir, which is made if need be.
//
//   - F32, BF16: every tensor in that type, BF16 rounded to nearest even. transformers
//     loads such a directory as what Config.Architectures names. Matrices that are int8 are expanded.
//   - I8: each matrix as I8 [out, in] with "<name>_scale" F32 [out], vectors as F32. One
//     that has [Groups] is stored as these instead: U8 [out, bytes a row], "<name>_factor"
//     U8 [out, groups a row], "<name>_scale" as the others.
//     Matrices that are float are quantized (see [Weights.Quantize]). Only seedling reads
//     it: its model_type is "seedling_int8", which loads as that of the architecture again.
//
// Each file is replaced atomically, the weights first; after an error (a full disk) no
// file is half written. A crash between the two leaves the new weights beside the old
// config, which loads if their shapes agree. Weights that are not finite, or do not fit
// the config, are refused before anything is written.
func (w *Weights) SaveAs(dir string, t DType) error {
	tensors, config, err := w.encode(t)
	if err != nil {
		return fmt.Errorf("save model %s: %w", dir, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("save model: %w", err)
	}
	// transformers asks for the format key.
	if err := WriteTensors(filepath.Join(dir, WeightsFile), tensors, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, ConfigFile), func(f io.Writer) error {
		_, err := f.Write(config)
		return err
	})
}

// encode makes the tensors and the config.json of w in type t.
func (w *Weights) encode(t DType) ([]Tensor, []byte, error) {
	if err := w.check(); err != nil {
		return nil, nil, err
	}
	torch := map[DType]string{F32: "float32", BF16: "bfloat16", I8: "float32"}[t]
	if torch == "" {
		return nil, nil, fmt.Errorf("%s is no type to save in: use F32, BF16 or I8", t)
	}
	// What is quantized must be finite before: an infinity would make a scale of NaN rows.
	for _, s := range w.slots() {
		if err := s.finite(t); err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", s.name, err)
		}
	}
	if t == I8 {
		w = w.Quantize()
	}
	var tensors []Tensor
	for _, s := range w.slots() {
		switch {
		case s.vec != nil:
			tensors = append(tensors, Tensor{Name: s.name, DType: floatType(t), Shape: []int{s.cols}, F32: *s.vec})
		case t == I8 && s.mat.Groups != nil:
			g := s.mat.Groups
			tensors = append(tensors,
				Tensor{Name: s.name, DType: U8, Shape: []int{s.rows, rowBytes(s.cols, g.Bits)}, U8: g.Codes},
				Tensor{Name: s.name + factorSuffix, DType: U8, Shape: []int{s.rows, rowGroups(s.cols)}, U8: g.Factor},
				Tensor{Name: s.name + scaleSuffix, DType: F32, Shape: []int{s.rows}, F32: s.mat.Scale})
		case t == I8:
			tensors = append(tensors,
				Tensor{Name: s.name, DType: I8, Shape: []int{s.rows, s.cols}, I8: s.mat.I8},
				Tensor{Name: s.name + scaleSuffix, DType: F32, Shape: []int{s.rows}, F32: s.mat.Scale})
		default:
			tensors = append(tensors, Tensor{Name: s.name, DType: t, Shape: []int{s.rows, s.cols}, F32: s.mat.floats()})
		}
	}
	file := w.Config
	file.TorchDType = torch
	if t == I8 {
		file.ModelType = int8ModelType
	}
	config, err := json.MarshalIndent(file, "", "  ")
	return tensors, append(config, '\n'), err
}

// floatType is the type of vectors in a file whose matrices are of type t.
func floatType(t DType) DType {
	if t == BF16 {
		return BF16
	}
	return F32
}

// finite says whether the slot's values, written as t, would load again.
func (s *slot) finite(t DType) error {
	v := []float32(nil)
	switch {
	case s.vec != nil:
		v = *s.vec
	case s.mat.I8 != nil:
		if i := lowest(s.mat.I8); i >= 0 {
			return fmt.Errorf("value %d is -128, outside the symmetric range", i)
		}
		if err := checkScales(s.mat.Scale); err != nil {
			return err
		}
		if t != I8 { // 127 · scale may overflow, but only if the scale is near the top
			for r, f := range s.mat.Scale {
				if f > math.MaxFloat32/256 {
					return fmt.Errorf("scale of row %d is %v, too large to be expanded", r, f)
				}
			}
		}
		return nil
	default:
		v = s.mat.F32
	}
	if i := notFinite(v); i >= 0 {
		return fmt.Errorf("value %d is %v: the weights are broken (training diverged?); go back to an earlier checkpoint", i, v[i])
	}
	if t == BF16 {
		for i, f := range v {
			if !finite(bf16ToF32(f32ToBF16(f))) {
				return fmt.Errorf("value %d is %v, too large for BF16: save it as F32", i, f)
			}
		}
	}
	return nil
}

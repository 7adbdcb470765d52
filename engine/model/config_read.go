package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"
)

// File names in a model directory.
const (
	ConfigFile  = "config.json"
	WeightsFile = "model.safetensors"
)

const (
	// maxConfig bounds config.json, which takes one or two kilobytes: a decoded JSON
	// value can take many times the room of its text.
	maxConfig = 64 << 10
	// maxDepth bounds how deep its objects nest.
	maxDepth = 16
)

// LoadConfig reads and validates the config.json of fsys, without looking at the weights.
func LoadConfig(fsys fs.FS) (Config, error) {
	data, err := readConfig(fsys)
	if err != nil {
		return Config{}, err // names the file and the operation
	}
	c, err := ParseConfig(data)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", ConfigFile, err)
	}
	return c, nil
}

func readConfig(fsys fs.FS) ([]byte, error) {
	f, err := fsys.Open(ConfigFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(data) > maxConfig {
		err = fmt.Errorf("%s: larger than %d bytes: this is no model's configuration", ConfigFile, maxConfig)
	}
	return data, err
}

// foreign are keys that we do not write but that change the network when others do.
// Whatever else a config.json holds is ignored: it holds much that is not ours.
type foreign struct {
	DType          string `json:"dtype"` // transformers 5 for torch_dtype
	RopeParameters *struct {
		Theta   *float64 `json:"rope_theta"`
		Type    string   `json:"rope_type"`
		Partial *float64 `json:"partial_rotary_factor"`
	} `json:"rope_parameters"` // transformers 5 for rope_theta and rope_scaling
	RopeScaling      any      `json:"rope_scaling"`
	MLPBias          bool     `json:"mlp_bias"`
	UseSlidingWindow bool     `json:"use_sliding_window"`
	LayerTypes       []string `json:"layer_types"`
	Quantization     any      `json:"quantization_config"`
}

// ParseConfig reads and validates the bytes of a config.json, as we write it or as
// transformers 4 and 5 do. Unknown keys are ignored unless they change the network.
func ParseConfig(data []byte) (Config, error) {
	var c Config
	var f foreign
	if !utf8.Valid(data) {
		return c, errors.New("is not UTF-8: the file is damaged")
	}
	if err := checkKeys(json.NewDecoder(bytes.NewReader(data))); err != nil {
		return c, fmt.Errorf("not strict JSON: %w", err)
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, err
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return c, err
	}
	if err := c.adopt(&f); err != nil {
		return c, err
	}
	return c, c.Validate()
}

// adopt takes over what transformers 5 calls by other names, and refuses what changes
// the network into one that we do not compute.
func (c *Config) adopt(f *foreign) error {
	if c.ModelType == int8ModelType { // the weights' header says that they are int8
		c.ModelType = qwen3ModelType
		if slices.Contains(c.Architectures, llamaArchitecture) {
			c.ModelType = llamaModelType
		}
	}
	if c.ModelType == llamaModelType && c.HeadDim == 0 && c.NumHeads > 0 {
		c.HeadDim = c.HiddenSize / c.NumHeads // as transformers does, which may leave it out
	}
	if f.DType != "" {
		if c.TorchDType != "" && c.TorchDType != f.DType {
			return fmt.Errorf("dtype is %q and torch_dtype %q: make them one", f.DType, c.TorchDType)
		}
		c.TorchDType = f.DType
	}
	if r := f.RopeParameters; r != nil {
		if r.Type != "" && r.Type != "default" {
			return fmt.Errorf("rope_parameters.rope_type is %q: only default is supported", r.Type)
		}
		if r.Partial != nil && *r.Partial != 1 {
			return fmt.Errorf("rope_parameters.partial_rotary_factor is %g: only 1 is supported", *r.Partial)
		}
		if r.Theta != nil {
			if c.RopeTheta != 0 && c.RopeTheta != *r.Theta {
				return fmt.Errorf("rope_theta is %g and rope_parameters.rope_theta %g: make them one", c.RopeTheta, *r.Theta)
			}
			c.RopeTheta = *r.Theta
		}
	}
	switch {
	case f.RopeScaling != nil:
		return errors.New("rope_scaling is set: only plain rotary positions are supported")
	case f.MLPBias:
		return errors.New("mlp_bias is true: only projections without bias are supported")
	case f.UseSlidingWindow:
		return errors.New("use_sliding_window is true: only full attention is supported")
	case f.Quantization != nil:
		return errors.New("quantization_config is set: take the checkpoint in bfloat16 or float32, seedling quantizes by itself")
	}
	for i, t := range f.LayerTypes {
		if t != "full_attention" {
			return fmt.Errorf("layer_types[%d] is %q: only full_attention is supported", i, t)
		}
	}
	return nil
}

// checkKeys reads one JSON value and nothing after it, and refuses a key that stands
// twice in one object, in whatever case: encoding/json would take the last of them.
func checkKeys(d *json.Decoder) error {
	d.UseNumber()              // a number too large for a float64 is the typed decoder's to report
	var open []map[string]bool // a nil map is an array
	wantKey := false
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case json.Delim:
			if len(open) == maxDepth && (t == '{' || t == '[') {
				return fmt.Errorf("nests deeper than %d", maxDepth)
			}
			switch t {
			case '{':
				open = append(open, map[string]bool{})
			case '[':
				open = append(open, nil)
			default:
				open = open[:len(open)-1]
			}
		case string:
			if wantKey {
				keys, key := open[len(open)-1], strings.ToLower(t)
				if keys[key] {
					return fmt.Errorf("key %s stands twice", shown([]byte(t)))
				}
				keys[key] = true
				wantKey = false
				continue // its value comes next
			}
		}
		if len(open) == 0 {
			break
		}
		wantKey = open[len(open)-1] != nil
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object")
	}
	return nil
}

// parameters counts the values of a validated config's network (a tied head once).
// Validate's bounds keep it below 2^50.
func (c *Config) parameters() int64 {
	d, ff, hd := int64(c.HiddenSize), int64(c.IntermediateSize), int64(c.HeadDim)
	q, kv := int64(c.NumHeads)*hd, int64(c.NumKVHeads)*hd
	layer := 2*d + d*(q+2*kv) + q*d + 3*d*ff
	if c.QKNorm() {
		layer += 2 * hd
	}
	n := int64(c.VocabSize)*d + int64(c.NumLayers)*layer + d
	if !c.TieWordEmbeddings {
		n += int64(c.VocabSize) * d
	}
	return n
}

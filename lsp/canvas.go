package lsp

import (
	"context"
	"path/filepath"
	"sync"
	"time"

	"go.lsp.dev/protocol"
	"go.uber.org/zap"

	"github.com/seedling-lsp/seedling/engine"
	"github.com/seedling-lsp/seedling/engine/denoise"
)

// watchCanvas is the request by which a client says whether a person watches the canvas:
// {"watch": bool}. While one does, each answer is followed by a notification canvasNote.
// Watching costs: an answer that is remembered is made again, to be seen.
const watchCanvas = "seedling/watchCanvas"

// canvasNote is the notification that holds a [Canvas].
const canvasNote = "seedling/canvas"

func init() {
	copilotMethods[watchCanvas] = (*Server).watchCanvas // none of Copilot's, and dispatched as they are
	answered[watchCanvas] = standing{}
}

// maxCanvasSteps bounds what is kept of one answer; the last steps of a longer one are missing.
const maxCanvasSteps = 512

// Canvas is how an answer came to be.
type Canvas struct {
	URI      string            `json:"uri"`
	File     string            `json:"file"` // its name, for a person
	Position protocol.Position `json:"position"`
	Text     string            `json:"text"` // of the answer, as the model gave it
	Tokens   int               `json:"tokens"`
	Forwards int               `json:"forwards"`
	Ms       float64           `json:"ms"`
	Steps    []CanvasStep      `json:"steps"`
}

// CanvasStep is the canvas after one forward pass. A token that ends inside a character
// shows as U+FFFD.
type CanvasStep struct {
	Forward int          `json:"forward"` // from 1
	Block   int          `json:"block"`   // from 0
	Phase   string       `json:"phase"`   // prefill, denoise, commit
	Done    string       `json:"done"`    // the text of the blocks before
	Cells   []CanvasCell `json:"cells"`
}

// CanvasCell is one position of the canvas.
type CanvasCell struct {
	Text    string  `json:"text"`
	Masked  bool    `json:"masked,omitempty"`
	Changed bool    `json:"changed,omitempty"`
	Prob    float32 `json:"prob,omitempty"` // at which it was decided; 0: found, not foretold
}

var phaseNames = map[denoise.Phase]string{denoise.PhasePrefill: "prefill", denoise.PhaseDenoise: "denoise", denoise.PhaseCommit: "commit"}

func (s *Server) watchCanvas(_ context.Context, params []byte) (any, error) {
	var p struct{ Watch bool }
	if err := read(params, &p); err != nil {
		return nil, err
	}
	s.canvasWatched.Store(p.Watch)
	return map[string]bool{"watch": p.Watch}, nil
}

// canvas collects the steps of one answer; nil when nobody watches.
type canvas struct {
	s     *Server
	start time.Time
	mu    sync.Mutex
	steps []CanvasStep
}

func (s *Server) watchedCanvas() *canvas {
	if !s.canvasWatched.Load() {
		return nil
	}
	return &canvas{s: s, start: time.Now()}
}

// watch has the steps of a request collected.
func (c *canvas) watch(r *engine.Request) {
	if c == nil {
		return
	}
	r.Watch = func(s engine.Step) {
		step := CanvasStep{Forward: s.Forward, Block: s.Block, Phase: phaseNames[s.Phase], Done: s.Done, Cells: make([]CanvasCell, len(s.Cells))}
		for i, cell := range s.Cells {
			step.Cells[i] = CanvasCell{Text: cell.Text, Masked: cell.Masked, Changed: cell.Changed, Prob: cell.Prob}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.steps) < maxCanvasSteps {
			c.steps = append(c.steps, step)
		}
	}
}

// tell sends the canvas of an answer, if it took a step at all.
func (c *canvas) tell(doc *snapshot, at protocol.Position, res engine.Result) {
	if c == nil {
		return
	}
	took := time.Since(c.start)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.steps) == 0 {
		return
	}
	note := Canvas{URI: string(doc.uri), File: filepath.Base(doc.path), Position: at, Text: res.Text, Tokens: res.Tokens, Forwards: res.Forwards,
		Ms: float64(took.Microseconds()) / 1000, Steps: c.steps}
	if err := c.s.conn.Notify(c.s.wire, canvasNote, rawJSON(note)); err != nil {
		c.s.log.Debug(canvasNote, zap.Error(err))
	}
}

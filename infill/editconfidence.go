package infill

import (
	"math"
	"strings"

	"github.com/seedling-lsp/seedling/engine"
)

// Features of a change, by which its confidence is reckoned.
const (
	featureBias   = iota
	featureGain   // nats that the region gains, at most 30
	featureBehind // nats that the text behind the change gains, -10 to 20
	featureOld    // log-probability of what goes, at least -40
	featureNew    // log-probability of what comes, at least -30
	featureBest   // log-probability of the model's own choice at the place, at least -5
	featureInsert // something comes and nothing goes
	featureDelete // something goes and nothing comes
	featureName   // a name for a name
	featureSign   // a sign for a sign
	featureNumber // a number for a number
	featureKnown  // a keyword comes or goes
	featureMany   // more than one word comes or goes
	featureOldSeen
	featureNewSeen // log(1+n) of how often what comes stands in the file, of names
	featureDenoiser
	featureReading
	features
)

// Features of a change, as the fit of the weights wants them: [features].
func (p Piece) Features(c engine.Change) []float64 {
	f := make([]float64, features)
	clip := func(v, low, high float64) float64 { return math.Max(low, math.Min(high, v)) }
	is := func(at int, yes bool) {
		if yes {
			f[at] = 1
		}
	}
	f[featureBias] = 1
	f[featureGain] = clip(c.Gain, 0, 30) / 10
	f[featureBehind] = clip(c.Behind, -10, 20) / 10
	f[featureOld] = clip(c.Old, -40, 0) / 10
	f[featureNew] = clip(c.New, -30, 0) / 10
	f[featureBest] = clip(c.Best, -5, 0)
	old, with := p.different(c)
	is(featureInsert, old == "")
	is(featureDelete, with == "")
	if old != "" && with != "" {
		is(featureName, isName(old) && isName(with))
		is(featureSign, !isWord(old[0]) && !isWord(with[0]))
		is(featureNumber, isDigit(old[0]) && isDigit(with[0]))
	}
	is(featureKnown, known[old] || known[with])
	is(featureMany, len(engine.Words(old)) > 1 || len(engine.Words(with)) > 1)
	seen := func(s string) float64 {
		if !isName(s) {
			return 0
		}
		return math.Log1p(float64(strings.Count(p.doc.Text, s)))
	}
	f[featureOldSeen], f[featureNewSeen] = seen(old), seen(with)
	is(featureDenoiser, c.Source == engine.FromDenoiser)
	is(featureReading, c.Source == engine.FromReading)
	return f
}

// different is what goes and what comes, in whole words: a token may change a part of one.
func (p Piece) different(c engine.Change) (old, with string) {
	text := p.Apply(c.Proposal)
	a, b := engine.Words(p.text), engine.Words(text)
	k := 0
	for k < min(len(a), len(b)) && p.text[a[k].Start:a[k].End] == text[b[k].Start:b[k].End] {
		k++
	}
	i, j := len(a), len(b)
	for i > k && j > k && p.text[a[i-1].Start:a[i-1].End] == text[b[j-1].Start:b[j-1].End] {
		i, j = i-1, j-1
	}
	cut := func(s string, words []engine.Word) string {
		if len(words) == 0 {
			return ""
		}
		return s[words[0].Start:words[len(words)-1].End]
	}
	return cut(p.text, a[k:i]), cut(text, b[k:j])
}

// EditMargin is the confidence from which a change is suggested, so that fewer than one clean
// function in a hundred is (engine/weights, the model's card).
const EditMargin = 1.0

// weights of the features; the sum is the confidence. They are of a logistic regression on
// 4,944 changes that the built-in model found likelier in 840 functions of its training
// repositories (halves: clean, and with a fault of `seedling eval edit`), as to whether the
// change is the repair. Held-out code had no part in it.
var weights = [features]float64{
	featureBias:     -1.67,
	featureGain:     2.14,
	featureBehind:   0,
	featureOld:      0.95,
	featureNew:      1.99,
	featureBest:     0.16,
	featureInsert:   2.17,
	featureDelete:   -2.87,
	featureName:     -2.32,
	featureSign:     1.06,
	featureNumber:   1.06,
	featureKnown:    1.46,
	featureMany:     1.26,
	featureOldSeen:  -0.02,
	featureNewSeen:  0,
	featureDenoiser: -1.95,
	featureReading:  -3.05,
}

// confidence is how much likelier than not a change is a repair, in nats (log-odds).
func (p Piece) confidence(c engine.Change) float64 {
	sum := 0.0
	for i, f := range p.Features(c) {
		sum += weights[i] * f
	}
	return sum
}

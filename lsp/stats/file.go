package stats

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Kind of a suggestion.
type Kind string

const (
	Completion Kind = "completion" // ghost text at the cursor
	Listed     Kind = "listed"     // the same, as an entry of the completion list
	NextEdit   Kind = "next edit"  // an edit somewhere else
)

// Counts are of one kind of suggestion in one language on one day. The zero Counts are
// none.
type Counts struct {
	Asked    int64 `json:"asked"`              // requests that were answered, with something or nothing
	Shown    int64 `json:"shown"`              // suggestions that the editor showed, or was given if it does not say
	Accepted int64 `json:"accepted"`           // taken whole
	Partial  int64 `json:"partial,omitempty"`  // taken in part: a word, a line
	Rejected int64 `json:"rejected,omitempty"` // dismissed, where the editor says so
	Kept     int64 `json:"kept,omitempty"`     // of those accepted, still there after 30 s
	Changed  int64 `json:"changed,omitempty"`  // of those accepted, gone or changed after 30 s

	Characters int64 `json:"characters,omitempty"` // accepted, in Unicode characters, typed ones before the cursor not counted
	Context    int64 `json:"context_tokens,omitempty"`
	Cached     int64 `json:"cached_tokens,omitempty"` // of the context, not read anew

	Latency Latency `json:"latency"`
}

func (c *Counts) add(d Counts) {
	for _, f := range []struct {
		to   *int64
		from int64
	}{{&c.Asked, d.Asked}, {&c.Shown, d.Shown}, {&c.Accepted, d.Accepted}, {&c.Partial, d.Partial}, {&c.Rejected, d.Rejected}, {&c.Kept, d.Kept},
		{&c.Changed, d.Changed}, {&c.Characters, d.Characters}, {&c.Context, d.Context}, {&c.Cached, d.Cached}} {
		*f.to += f.from
	}
	for i := range c.Latency {
		c.Latency[i] += d.Latency[i]
	}
}

// Bounds are the upper bounds of Latency's buckets, in milliseconds; the last bucket has
// none.
var Bounds = [...]float64{1, 2, 5, 10, 20, 50, 100, 200, 400, 800, 1600, 3200}

// Latency counts answers by the time from request to answer.
type Latency [len(Bounds) + 1]int64

// Add counts one answer.
func (l *Latency) Add(took time.Duration) {
	ms := float64(took) / float64(time.Millisecond)
	i, _ := slices.BinarySearch(Bounds[:], ms)
	l[i]++
}

// Quantile is the upper bound, in milliseconds, of the bucket in which the share q of all
// answers is reached; 0 if there are none, and -1 if that bucket has no bound.
func (l Latency) Quantile(q float64) float64 {
	var all, sum int64
	for _, n := range l {
		all += n
	}
	if all == 0 {
		return 0
	}
	for i, n := range l {
		if sum += n; float64(sum) >= q*float64(all) {
			if i == len(Bounds) {
				return -1
			}
			return Bounds[i]
		}
	}
	return -1
}

// Editor is one that was served.
type Editor struct {
	Name string    `json:"name"` // with its version
	Last time.Time `json:"last"` // when it connected last
}

// Problem is an error that a person was shown.
type Problem struct {
	Time    time.Time `json:"time"`
	Message string    `json:"message"`
}

// File is all that is kept.
type File struct {
	Version  int                                    `json:"version"`
	Days     map[string]map[string]map[Kind]*Counts `json:"days"` // by date (2006-01-02, local time) and language
	Editors  []Editor                               `json:"editors,omitempty"`
	Problems []Problem                              `json:"problems,omitempty"`
}

// What is kept at most.
const (
	maxDays      = 90
	maxLanguages = 32 // a day
	maxEditors   = 8
	maxProblems  = 16
	maxName      = 80  // bytes of an editor's name
	maxMessage   = 300 // bytes of an error
)

const version = 1

// other is the language of what is beyond maxLanguages.
const other = "other"

// counts are those of a day, language and kind; they are made.
func (f *File) counts(day, language string, kind Kind) *Counts {
	if f.Days == nil {
		f.Days = map[string]map[string]map[Kind]*Counts{}
	}
	languages := f.Days[day]
	if languages == nil {
		languages = map[string]map[Kind]*Counts{}
		f.Days[day] = languages
	}
	if languages[language] == nil {
		if len(languages) >= maxLanguages {
			language = other
		}
		if languages[language] == nil {
			languages[language] = map[Kind]*Counts{}
		}
	}
	c := languages[language][kind]
	if c == nil {
		c = &Counts{}
		languages[language][kind] = c
	}
	return c
}

// merge adds what another file counts.
func (f *File) merge(d File) {
	for day, languages := range d.Days {
		for language, kinds := range languages {
			for kind, c := range kinds {
				if c != nil {
					f.counts(day, language, kind).add(*c)
				}
			}
		}
	}
	for _, e := range d.Editors {
		f.seen(e)
	}
	f.Problems = append(f.Problems, d.Problems...)
	f.trim()
}

// seen takes note of an editor.
func (f *File) seen(e Editor) {
	f.Editors = slices.DeleteFunc(f.Editors, func(old Editor) bool { return old.Name == e.Name })
	f.Editors = append(f.Editors, e)
}

// trim keeps to the bounds, the newest first.
func (f *File) trim() {
	f.Version = version
	days := slices.Sorted(maps.Keys(f.Days))
	for _, d := range days[:max(0, len(days)-maxDays)] {
		delete(f.Days, d)
	}
	for _, languages := range f.Days {
		for _, l := range slices.Sorted(maps.Keys(languages))[min(len(languages), maxLanguages+1):] {
			delete(languages, l) // of a file that somebody else wrote
		}
	}
	slices.SortStableFunc(f.Editors, func(a, b Editor) int { return b.Last.Compare(a.Last) })
	f.Editors = f.Editors[:min(len(f.Editors), maxEditors)]
	for i := range f.Editors {
		f.Editors[i].Name = clip(f.Editors[i].Name, maxName)
	}
	slices.SortStableFunc(f.Problems, func(a, b Problem) int { return b.Time.Compare(a.Time) })
	f.Problems = f.Problems[:min(len(f.Problems), maxProblems)]
	for i := range f.Problems {
		f.Problems[i].Message = clip(f.Problems[i].Message, maxMessage)
	}
}

// Total adds up a kind's counts over all days not before since (a date, empty: all), by
// language, the most asked for first.
func (f *File) Total(kind Kind, since string) (all Counts, by []Language) {
	sums := map[string]*Counts{}
	for day, languages := range f.Days {
		if day < since {
			continue
		}
		for l, kinds := range languages {
			if c := kinds[kind]; c != nil {
				if sums[l] == nil {
					sums[l] = &Counts{}
				}
				sums[l].add(*c)
				all.add(*c)
			}
		}
	}
	for l, c := range sums {
		by = append(by, Language{l, *c})
	}
	slices.SortFunc(by, func(a, b Language) int {
		return cmp.Or(cmp.Compare(b.Asked, a.Asked), cmp.Compare(a.Name, b.Name))
	})
	return all, by
}

// Language is a language's counts.
type Language struct {
	Name string
	Counts
}

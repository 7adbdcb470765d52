package lsp

import (
	"slices"
	"strings"
	"time"

	"github.com/seedling-lsp/seedling/engine/denoise"
)

// Settings are what a person may set, in initializationOptions or, under the section
// "seedling", in the editor's configuration.
//
// The tags are the one source of everything that is said about a setting: what is refused
// and in which words (settings_read.go), the JSON schema, the properties of VS Code's
// contributes.configuration and the table of the README (settings_gen_test.go). They are
// json, the key; default, as JSON; doc, as it stands in the table; and what is allowed: enum,
// min and max (both inclusive), unit, and of a list item, what its items are.
//
//go:generate go test -run ^TestSettingsGenerated$ . -update
type Settings struct {
	Enable            bool     `json:"enable" default:"true" doc:"suggestions on or off"`
	Languages         []string `json:"languages" default:"[]" item:"language id" doc:"suggest in these languages only; empty: in all"`
	ExcludeLanguages  []string `json:"excludeLanguages" default:"[]" item:"language id" doc:"never suggest in these languages, whatever languages says"`
	Exclude           []string `json:"exclude" default:"[]" item:"glob" doc:"never suggest in these files: globs as in *.min.js (a name, in any folder), gen/**, or docs/*.{md,txt} (from the workspace folder on); a folder's name stands for all in it"`
	Gitignored        bool     `json:"gitignored" default:"false" doc:"suggest in files that git ignores, too; those that a .seedlingignore names stay left alone"`
	SecretFiles       bool     `json:"secretFiles" default:"false" doc:"suggest in files that usually hold secrets, too (.env, *.pem, id_rsa, credentials, kubeconfig and the like); keys and passwords that are recognized in a text are kept from the model in any case"`
	Model             string   `json:"model" default:"\"\"" doc:"the model that answers: a directory, from / or ~ on, as of one that seedling train adapted to your repository; or small or large, which are built in; empty: the one that the server was started with, mostly whichever of the two this machine is fast enough for; a shared server has one model for all its windows"`
	Decode            string   `json:"decode" default:"\"verify\"" enum:"diffusion verify causal" doc:"how blocks are decided, see below; with today's model verify breaks the syntax less often than diffusion"`
	DebounceMs        int      `json:"debounceMs" default:"0" min:"0" max:"5000" unit:"milliseconds" doc:"an automatic request waits this long for a newer one before it costs anything; what is out of date is cancelled anyway, this saves a laptop's battery"`
	DeadlineMs        int      `json:"deadlineMs" default:"400" min:"10" max:"60000" unit:"milliseconds" doc:"an automatic suggestion takes no longer"`
	InvokedDeadlineMs int      `json:"invokedDeadlineMs" default:"3000" min:"10" max:"60000" unit:"milliseconds" doc:"one asked for by hand takes no longer"`
	Completion        string   `json:"completion" default:"\"auto\"" enum:"auto always never" doc:"suggestions as entries of the completion list, too: for clients that draw no inline completions, always, or never; a client that does not let it be registered later is told of it at the start, so always belongs into initializationOptions"`
	Candidates        int      `json:"candidates" default:"4" min:"1" max:"8" doc:"how many different suggestions one asked for by hand gives at the most, to choose from; four take between one and a half and four times as long as one"`
	MaxTokens         int      `json:"maxTokens" default:"0" min:"0" max:"1024" unit:"tokens" doc:"bound of a suggestion; 0: by what is completed"`
	MaxFileKB         int      `json:"maxFileKB" default:"8192" min:"1" max:"65536" unit:"KB" doc:"larger documents are left alone"`
	MinLogProb        float64  `json:"minLogProb" default:"-5" max:"0" unit:"nats" doc:"withhold automatic suggestions whose first line the model itself finds less likely than this (its log-probability; what that buys is on the card of the model); 0: withhold none"`
	Remember          string   `json:"remember" default:"\"workspace\"" enum:"workspace folder open nothing" doc:"whose ways suggestions follow besides the file's own: those of the whole workspace (up to 2,000 files and 4 MB, read in the background, kept in memory), of the file's folder, of the open documents, or nobody's; what is left alone is not read"`
	Context           string   `json:"context" default:"\"none\"" enum:"none definitions similar edits all" doc:"what of other files stands in the prompt, besides what is remembered of them (remember says of which): definitions of names near the cursor, lines of documents opened or edited last that are similar to those before it, the last edits as diffs, or all of these; with today's model it changes nothing that could be measured"`
	NextEdits         bool     `json:"nextEdits" default:"true" doc:"after an edit, suggest the other places that want the same, to clients that ask for next edits as Copilot's server gives them; in the open documents, and where the client can go there in the files that are remembered"`
	Status            bool     `json:"status" default:"false" doc:"send didChangeStatus as Copilot's server does, besides seedling/status; clients written for that server get it in any case"`
	Shared            bool     `json:"shared" default:"false" doc:"let all windows use one server and so one model in memory, which is started when there is none; in initializationOptions only, since it is read at the start (as is seedling lsp --connect); not on Windows"`
	Stats             bool     `json:"stats" default:"true" doc:"count on this machine what is suggested and taken, for seedling stats: numbers by day and language, no text; nothing is sent anywhere"`
	CodeLens          bool     `json:"codeLens" default:"true" doc:"a lens above functions that are still to be written (an empty body, a stub, a TODO), to have them written"`
	Suspicion         bool     `json:"suspicion" default:"false" doc:"hints at places that the model finds very unlikely where it is sure of something else, with the fix as a code action; costs a core for some seconds a file"`
}

// decodes are the values of Settings.Decode.
var decodes = map[string]denoise.Mode{"diffusion": denoise.Diffusion, "verify": denoise.Verify, "causal": denoise.Causal}

// clone is a copy that shares no list.
func (s Settings) clone() Settings {
	s.Languages, s.ExcludeLanguages, s.Exclude = slices.Clone(s.Languages), slices.Clone(s.ExcludeLanguages), slices.Clone(s.Exclude)
	return s
}

// silent names the setting that turns a language off; empty: none does.
func (s Settings) silent(language string) (key string) {
	is := func(l string) bool { return strings.EqualFold(l, language) }
	switch {
	case slices.ContainsFunc(s.ExcludeLanguages, is):
		return "excludeLanguages"
	case len(s.Languages) > 0 && !slices.ContainsFunc(s.Languages, is):
		return "languages"
	}
	return ""
}

func (s Settings) debounce() time.Duration { return time.Duration(s.DebounceMs) * time.Millisecond }

func (s Settings) deadline(invoked bool) time.Duration {
	if invoked {
		return time.Duration(s.InvokedDeadlineMs) * time.Millisecond
	}
	return time.Duration(s.DeadlineMs) * time.Millisecond
}

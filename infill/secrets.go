package infill

import (
	"math"
	"slices"
	"strings"
)

// What looks like a secret in a text is hidden from the model: every byte of it is shown as
// a star. The text keeps its length and its shape, so that offsets, windows and the engine's
// cache hold, and the code around a password is completed like any other; a model that has
// not seen a key cannot write it elsewhere, nor can its logs and caches hold it.
//
// Recognized are the bodies of private keys, tokens of issuers that mark theirs by a prefix,
// JSON web tokens, passwords in URLs, and literals that are assigned to a name as password,
// secret or token and are no plain words. What is left out is long but unnamed: to a program
// a checksum and a key are the same.

// hidden stands for a byte that the model does not see.
const hidden = '*'

const (
	secretEdge  = 4 << 10  // bytes beyond a window in which a secret may begin or end that is in it
	secretBlock = 64 << 10 // and those of a private key
)

// span is a stretch of a text.
type span struct{ start, end int }

// HideSecrets is the text with what looks like secrets hidden, byte for byte.
func HideSecrets(text string) string {
	return hide(text, window{end: len(text)}, secrets(text, 0, len(text)))
}

// hide is what a window shows of a text.
func hide(text string, w window, spans []span) string {
	shown := text[w.start:w.end]
	var b []byte
	for _, s := range spans {
		for i := max(s.start, w.start); i < min(s.end, w.end); i++ {
			if b == nil {
				b = []byte(shown)
			}
			if c := text[i]; c != '\n' && c != '\r' {
				b[i-w.start] = hidden
			}
		}
	}
	if b != nil {
		return string(b)
	}
	return shown
}

// secrets finds what looks like one and has a part in [from, to), in order and apart.
func secrets(text string, from, to int) []span {
	low, high := max(0, from-secretEdge), min(len(text), to+secretEdge)
	found := keyBlocks(text, max(0, from-secretBlock), high)
	for i := low; i < high; {
		if !isTokenByte(text[i]) {
			if text[i] == ':' && strings.HasPrefix(text[i:high], "://") {
				found = append(found, urlPassword(text[:high], i+3)...)
			}
			i++
			continue
		}
		end := i + 1
		for end < high && isTokenByte(text[end]) {
			end++
		}
		if n := marked(text[i:high], end-i); n > 0 {
			end = i + n
			found = append(found, span{i, end})
		} else if s, ok := assigned(text[:high], i, end); ok {
			found = append(found, s)
		}
		i = end
	}
	slices.SortFunc(found, func(a, b span) int { return a.start - b.start })
	apart := found[:0]
	for _, s := range found {
		if n := len(apart); n > 0 && s.start <= apart[n-1].end {
			apart[n-1].end = max(apart[n-1].end, s.end)
		} else {
			apart = append(apart, s)
		}
	}
	return slices.DeleteFunc(apart, func(s span) bool { return s.end <= from || s.start >= to })
}

func isTokenByte(c byte) bool {
	return c == '_' || c == '-' || isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// keyBlocks finds the bodies of private keys, also of one whose end is not there.
func keyBlocks(text string, low, high int) (found []span) {
	const begin, end, dashes = "-----BEGIN ", "-----END ", "-----"
	for i := low; ; {
		at := strings.Index(text[i:high], begin)
		if at < 0 {
			return found
		}
		i += at + len(begin)
		n := strings.Index(text[i:min(i+64, high)], dashes)
		if n < 0 || !strings.Contains(text[i:i+n], "PRIVATE KEY") {
			continue
		}
		i += n + len(dashes)
		// What stands after the last byte looked at may be the end.
		rest := text[i:min(len(text), i+secretBlock)]
		stop := strings.Index(rest, end)
		if next := strings.Index(rest, begin); next >= 0 && (stop < 0 || next < stop) {
			stop = -1
		}
		switch {
		case stop < 0:
			stop = keyLines(rest)
		case stop < 40:
			continue // code that looks for the two lines
		}
		found = append(found, span{i, i + stop})
		i = min(i+stop, high)
	}
}

// keyLines is the length of the lines that can belong to a key: base64, or its headers, in
// quotes of whatever language.
func keyLines(text string) (n int) {
	for n < len(text) {
		line := text[n:]
		if i := strings.IndexByte(line, '\n'); i >= 0 {
			line = line[:i+1]
		}
		body := strings.Trim(strings.ReplaceAll(line, `\n`, ""), " \t\r\n\"'`+,;\\|.()")
		header := strings.HasPrefix(body, "Proc-Type: ") || strings.HasPrefix(body, "DEK-Info: ") || strings.HasPrefix(body, "Version: ") || strings.HasPrefix(body, "Comment: ")
		if body != "" && !header && strings.IndexFunc(body, func(c rune) bool { return !(c < 0x80 && isTokenByte(byte(c)) || strings.ContainsRune("+/=", c)) }) >= 0 {
			break
		}
		if body == "" && strings.TrimSpace(line) != "" {
			break // brackets or quotes alone
		}
		n += len(line)
	}
	return n
}

// marks are the prefixes by which issuers make their tokens known, and how many bytes of
// letters, digits, _ and - follow at least. Of those that are ordinary words, too, the rest
// has to look random.
var marks = []struct {
	prefix string
	least  int
	random bool
}{
	{"AKIA", 16, false}, {"ASIA", 16, false}, {"AROA", 16, false}, {"AIDA", 16, false}, {"ABIA", 16, false}, {"ACCA", 16, false}, // Amazon
	{"ghp_", 30, false}, {"gho_", 30, false}, {"ghu_", 30, false}, {"ghs_", 30, false}, {"ghr_", 30, false}, {"github_pat_", 30, false},
	{"glpat-", 20, false}, {"gldt-", 20, false}, {"glrt-", 20, false}, {"glptt-", 20, false}, {"glcbt-", 20, false}, {"glft-", 20, false}, {"glsoat-", 20, false}, {"glagent-", 20, false},
	{"sk_live_", 16, false}, {"sk_test_", 16, false}, {"rk_live_", 16, false}, {"rk_test_", 16, false}, {"whsec_", 24, true}, // Stripe
	{"sk-", 20, true}, {"xoxb-", 20, false}, {"xoxp-", 20, false}, {"xoxa-", 20, false}, {"xoxr-", 20, false}, {"xoxs-", 20, false}, {"xoxe-", 20, false}, {"xapp-", 20, false},
	{"AIza", 35, false}, {"GOCSPX-", 20, false}, {"npm_", 36, true}, {"pypi-AgE", 50, false}, {"dckr_pat_", 20, true}, {"hf_", 30, true}, {"dop_v1_", 40, false}, {"doo_v1_", 40, false},
	{"shpat_", 32, false}, {"shpss_", 32, false}, {"shpca_", 32, false}, {"AGE-SECRET-KEY-1", 50, false}, {"PMAK-", 50, false}, {"lin_api_", 30, false}, {"tskey-", 16, true}, {"figd_", 30, true},
	{"glsa_", 30, false}, {"NRAK-", 20, false}, {"sq0csp-", 20, false}, {"sq0atp-", 20, false}, {"ATATT3", 50, false}, {"sbp_", 40, true}, {"rubygems_", 40, false}, {"CCIPAT_", 20, false}, {"secret_", 40, true},
}

// marked is the length of the token that text begins with, which goes on at least for n
// bytes without a dot; 0: it begins with none.
func marked(text string, n int) int {
	if n < 2 {
		return 0
	}
	switch word := text[:n]; {
	case strings.HasPrefix(word, "eyJ") && n >= 12: // a JSON web token: two or three parts
		if m := dotted(text, n); m >= n+12 && strings.HasPrefix(text[n:], ".eyJ") {
			return m
		}
	case word == "SG" || word == "hvs" || word == "hvb" || word == "ya29": // SendGrid, Vault, Google
		if m := dotted(text, n); m >= n+22 && random(text[n:m]) {
			return m
		}
	}
	if n < 20 { // the shortest of them
		return 0
	}
	for _, m := range marks {
		if n >= len(m.prefix)+m.least && text[0] == m.prefix[0] && strings.HasPrefix(text, m.prefix) && (!m.random || random(text[len(m.prefix):n])) {
			if strings.HasPrefix(m.prefix, "A") && len(m.prefix) == 4 && m.least == 16 && (n != 20 || strings.ToUpper(text[:n]) != text[:n]) {
				continue // Amazon's have one length and no small letters
			}
			return n
		}
	}
	return 0
}

// dotted is the length of the parts that go on after the dots from n on.
func dotted(text string, n int) int {
	for n+1 < len(text) && text[n] == '.' && isTokenByte(text[n+1]) {
		for n++; n < len(text) && isTokenByte(text[n]); n++ {
		}
	}
	return n
}

// urlPassword finds the password in an address as user:password@host, which starts at i.
func urlPassword(text string, i int) []span {
	end := i
	for end < len(text) && end < i+512 && !strings.ContainsRune(" \t\r\n\"'`<>/?#", rune(text[end])) {
		end++
	}
	authority := text[i:end]
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		return nil
	}
	colon := strings.IndexByte(authority[:at], ':')
	if password := authority[colon+1 : at]; colon < 0 || password == "" || placeholder(password) {
		return nil
	}
	return []span{{i + colon + 1, i + at}}
}

// secretNames are parts of the names of what holds a secret; plain are those whose values
// need not look random: people make up passwords.
var (
	plainNames  = []string{"password", "passwd", "passphrase", "pwd"}
	secretNames = []string{"secret", "token", "apikey", "accesskey", "privatekey", "secretkey", "authkey", "accountkey", "signingkey", "encryptionkey", "masterkey", "credential", "authorization", "bearer", "clientkey", "webhookkey"}
	noSecrets   = []string{"url", "uri", "path", "file", "name", "type", "field", "header", "prefix", "regex", "pattern", "policy", "hash", "id", "format", "label", "placeholder", "hint", "message", "msg", "error", "err", "template"}
)

// assigned finds the literal that is assigned to a name, text[i:end], if both look the part.
func assigned(text string, i, end int) (span, bool) {
	if end-i < 3 || end-i > 64 || !suspicious(text[i:end]) {
		return span{}, false
	}
	from, to, quoted := assignedValue(text, end)
	if to-from < 6 || quoted && i > 0 && text[i-1] == text[from-1] && text[end] != text[i-1] {
		return span{}, false // in "PWD=" the quote behind the operator ends the string
	}
	plain, ok := secretName(text[i:end])
	if !ok {
		return span{}, false
	}
	value := text[from:to]
	for _, scheme := range []string{"Bearer ", "Basic ", "bearer ", "token "} {
		value = strings.TrimPrefix(value, scheme)
	}
	from = to - len(value)
	switch words := strings.ContainsAny(value, " \t"); {
	case placeholder(value) || words && !(plain && quoted):
		return span{}, false
	case !quoted: // in code this may be a name; not in NAME=value
		groups := 3
		if from == end+1 && strings.ToUpper(text[i:end]) == text[i:end] {
			groups = 1
		}
		return span{from, to}, len(value) >= 16 && numbers(value) >= groups && random(value)
	case plain:
		return span{from, to}, len(value) >= 6 && classes(value) >= 2
	}
	return span{from, to}, len(value) >= 12 && numbers(value) >= 2 && random(value)
}

// assignedValue finds the value of the name that ends at end, in quotes or as a bare word, on the
// same line: behind an operator, before which a type may stand. from == to: there is none.
func assignedValue(text string, end int) (from, to int, quoted bool) {
	operator := false
	for i := end; i < len(text) && i < end+48; i++ {
		switch c := text[i]; {
		case c == '=' || c == ':':
			operator = true
		case c == '"' || c == '\'' || c == '`':
			if operator {
				from = i + 1
				for to = from; to < len(text) && text[to] != c && text[to] != '\n' && text[to] != '\r' && to < from+secretEdge; to++ {
					if text[to] == '\\' && to+1 < len(text) && text[to+1] != '\n' && text[to+1] != '\r' {
						to++
					}
				}
				return from, min(to, len(text)), true
			}
			if i != end { // that of a quoted name, as in JSON, is the one that may stand here
				return 0, 0, false
			}
		case operator && isWord(c):
			for to = i; to < len(text) && (isTokenByte(text[to]) || strings.IndexByte("+/=.~", text[to]) >= 0); to++ {
			}
			rest := strings.TrimLeft(text[to:min(len(text), to+4)], " ")
			switch {
			case to-i <= 2 && strings.HasPrefix(text[to:], `"`), to-i <= 2 && strings.HasPrefix(text[to:], "'"): // r"…"
			case strings.HasPrefix(text[i:], `byte("`), strings.HasPrefix(text[i:], "byte(`"):
				to++
			case strings.HasPrefix(rest, "="): // name: type = …
			default:
				if to == len(text) || strings.IndexByte(" \t\r\n\"'`#;,&", text[to]) >= 0 {
					return i, to, false
				}
				return 0, 0, false
			}
			i = to - 1
		case operator && strings.IndexByte(" \t>=[]@&", c) >= 0:
		case !operator && (isWord(c) || strings.IndexByte(" \t?!*[]<>|.", c) >= 0):
		default:
			return 0, 0, false
		}
	}
	return 0, 0, false
}

// suspicious is a first and quick look at a name: most are none of a secret.
func suspicious(name string) bool {
	for i := range len(name) - 2 {
		var stem string
		switch name[i] | 0x20 {
		case 'p':
			if stem = "pass"; name[i+1]|0x20 == 'w' {
				stem = "pwd"
			}
		case 's':
			stem = "secret"
		case 't':
			stem = "token"
		case 'k':
			stem = "key"
		case 'c':
			stem = "cred"
		case 'a':
			stem = "auth"
		case 'b':
			stem = "bearer"
		default:
			continue
		}
		if i+len(stem) <= len(name) && strings.EqualFold(name[i:i+len(stem)], stem) {
			return true
		}
	}
	return false
}

// secretName says whether a name is one of a secret, and whether of one that people make up.
func secretName(name string) (plain, ok bool) {
	name = strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))
	for _, end := range noSecrets {
		if strings.HasSuffix(name, end) {
			return false, false
		}
	}
	in := func(names []string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.Contains(name, n) })
	}
	plain = in(plainNames)
	return plain, plain || in(secretNames) || name == "auth"
}

// placeholder says whether a value only stands for a secret.
func placeholder(value string) bool {
	if strings.ContainsAny(value, "${}<>%()") || strings.Trim(value, "*xX.") == "" {
		return true
	}
	low := strings.ToLower(value)
	for _, word := range []string{"your", "example", "changeme", "change-me", "change_me", "placeholder", "redacted", "dummy", "process.env", "os.environ"} {
		if strings.Contains(low, word) {
			return true
		}
	}
	return false
}

// random says whether a text is no word and no name: letters and digits mixed, and few of
// them often.
func random(s string) bool {
	letters := count(s, func(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' })
	digits := count(s, isDigit)
	return digits > 0 && letters > 0 && entropy(s) >= min(3, 0.75*math.Log2(float64(len(s))))
}

// numbers counts the stretches of digits: in the name of a thing there is one.
func numbers(s string) (n int) {
	for i := range len(s) {
		if isDigit(s[i]) && (i == 0 || !isDigit(s[i-1])) {
			n++
		}
	}
	return n
}

// classes counts the kinds of characters: letters, digits, others.
func classes(s string) (n int) {
	for _, is := range []func(byte) bool{
		func(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }, isDigit,
		func(c byte) bool { return !isTokenByte(c) && c != '.' && c != ' ' && c != '/' },
	} {
		if count(s, is) > 0 {
			n++
		}
	}
	return n
}

func count(s string, is func(byte) bool) (n int) {
	for i := range len(s) {
		if is(s[i]) {
			n++
		}
	}
	return n
}

// entropy is Shannon's, in bits per byte, of the bytes' frequencies.
func entropy(s string) (bits float64) {
	var n [256]int
	for i := range len(s) {
		n[s[i]]++
	}
	for _, k := range n {
		if k > 0 {
			p := float64(k) / float64(len(s))
			bits -= p * math.Log2(p)
		}
	}
	return bits
}

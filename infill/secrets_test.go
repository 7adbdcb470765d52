package infill

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// made joins what would be taken for a leaked secret if it stood here in one piece.
func made(parts ...string) string { return strings.Join(parts, "") }

var (
	keyBody  = "MIIEpAIBAAKCAQEA7bq1\nYd3Kz0xv9Tq5/ab+Lq==\n"
	someKeys = map[string]string{
		"Amazon":         made("AK", "IA", "IOSFODNN7QZAMPLE"),
		"GitHub":         made("gh", "p_", "16C7e42F292c6912E7710c838347Ae178B4a"),
		"GitHub, fine":   made("github", "_pat_", "11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz0123456789"),
		"GitLab":         made("glp", "at-", "Ab3dEf7hIj1kLmN0pQrS"),
		"Stripe":         made("sk", "_live_", "4eC39HqLyjWDarjtT1zdp7dc"),
		"OpenAI":         made("s", "k-", "proj-a1B2c3D4e5F6g7H8i9J0k1L2"),
		"Slack":          made("xo", "xb-", "123456789012-abcdefABCDEF"),
		"Google":         made("AI", "za", "SyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY"),
		"npm":            made("np", "m_", "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6q7r8"),
		"Hugging Face":   made("h", "f_", "aBcDeFgHiJ1kLmNoPqRsT2uVwXyZ3aBcDe"),
		"SendGrid":       made("S", "G.", "ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnopKc-1s5cr"),
		"JSON web token": made("ey", "JhbGciOiJIUzI1NiJ9.ey", "JzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"),
	}
)

// TestSecretsHidden: no byte of a secret is left of it; what stands around it is.
func TestSecretsHidden(t *testing.T) {
	cases := map[string][2]string{ // the text, and what of it must go
		"password":            {`password = "hunter2!x"`, "hunter2!x"},
		"Go":                  {"const dbPassword = `s3cr3t-pass`\n", "s3cr3t-pass"},
		"Go, typed":           {`var apiToken string = "q8Zr2LxT90bVnM4k"`, "q8Zr2LxT90bVnM4k"},
		"Go, bytes":           {`secret := []byte("q8Zr2LxT90bVnM4k")`, "q8Zr2LxT90bVnM4k"},
		"TypeScript":          {`  clientSecret: string = 'q8Zr2LxT90bVnM4k',`, "q8Zr2LxT90bVnM4k"},
		"JSON":                {`{"api_key": "q8Zr2LxT90bVnM4k", "a": 1}`, "q8Zr2LxT90bVnM4k"},
		"Python":              {`API_KEY = r"q8Zr2LxT90bVnM4k"  # mine`, "q8Zr2LxT90bVnM4k"},
		"Ruby":                {`:token => "q8Zr2LxT90bVnM4k"`, "q8Zr2LxT90bVnM4k"},
		"comparison":          {`if (password == "tr0ub4dor&3") {`, "tr0ub4dor&3"},
		"environment":         {"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCY9zzzkey\nA=1\n", "wJalrXUtnFEMI/K7MDENG/bPxRfiCY9zzzkey"},
		"YAML":                {"token: 9f86d081884c7d659a2feaa0c55ad015\n", "9f86d081884c7d659a2feaa0c55ad015"},
		"header":              {`"Authorization": "Bearer q8Zr2LxT90bVnM4kQ"`, "q8Zr2LxT90bVnM4kQ"},
		"URL":                 {`dsn := "postgres://app:s3cr3t@db.local:5432/x"`, "s3cr3t"},
		"URL, odd":            {`redis://:p@ss:w0rd@h/0`, "p@ss:w0rd"},
		"unfinished":          {`password = "hunter2!x`, "hunter2!x"},
		"two words":           {`passphrase: "correct horse 7 Battery"`, "correct horse 7 Battery"},
		"escaped quote":       {`password = "hunt\"er2!x" + y`, `hunt\"er2!x`},
		"private key":         {"a\n-----BEGIN RSA PRIVATE KEY-----\n" + keyBody + "-----END RSA PRIVATE KEY-----\nb", "MIIEpAIBAAKCAQEA7bq1"},
		"key in a string":     {"k := `-----BEGIN PRIVATE KEY-----\n" + keyBody + "-----END PRIVATE KEY-----`", "Yd3Kz0xv9Tq5/ab+Lq=="},
		"key in one line":     {`k = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIAbcMHcCAQEEIAbcMHcCAQEEIAbc\nZZ9=\n-----END EC PRIVATE KEY-----"`, `MHcCAQEEIAbc`},
		"key without end":     {"-----BEGIN OPENSSH PRIVATE KEY-----\n" + keyBody, "Yd3Kz0xv9Tq5/ab+Lq=="},
		"CRLF":                {"-----BEGIN PRIVATE KEY-----\r\nMIIEpAIBAAKCAQEA7bq1\r\nYd3KMIIEpAIBAAKCAQEA7bq1\r\n-----END PRIVATE KEY-----\r\n", "MIIEpAIBAAKCAQEA7bq1"},
		"PGP":                 {"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\nlQOYBF1abclQOYBF1abclQOYBF1abclQOYBF1abc\n=AbCd\n-----END PGP PRIVATE KEY BLOCK-----", "lQOYBF1abc"},
		"two keys, one whole": {"-----BEGIN PRIVATE KEY-----\nAAAABBBB\n}\nx := 1\n-----BEGIN PRIVATE KEY-----\n" + keyBody + "-----END PRIVATE KEY-----", "AAAABBBB"},
	}
	for issuer, token := range someKeys {
		cases[issuer] = [2]string{`call("` + token + `")`, token}
		cases[issuer+", bare"] = [2]string{"\n" + token + "\n", token}
	}
	for name, c := range cases {
		got := HideSecrets(c[0])
		if strings.Contains(got, c[1]) || len(got) != len(c[0]) {
			t.Errorf("%s: %q", name, got)
		}
		for part := range strings.FieldsFuncSeq(c[1], func(r rune) bool { return r == '\n' }) {
			if i := strings.Index(c[0], part); strings.Trim(got[i:i+len(part)], "*") != "" {
				t.Errorf("%s: of %q is left %q", name, part, got[i:i+len(part)])
			}
		}
		for i := range len(got) {
			if got[i] != c[0][i] && (got[i] != hidden || c[0][i] == '\n' || c[0][i] == '\r') {
				t.Errorf("%s: byte %d became %q", name, i, got[i])
			}
		}
		if HideSecrets(got) != got {
			t.Errorf("%s: stars look like a secret: %q", name, HideSecrets(got))
		}
	}
	if got := HideSecrets("-----BEGIN PRIVATE KEY-----\nAAAABBBB\n}\nx := 1\n"); !strings.HasSuffix(got, "}\nx := 1\n") {
		t.Errorf("a key without an end hides the code behind it: %q", got)
	}
}

// TestNoSecrets: code about secrets is not one. Every star in ordinary code is a token that
// the model would have completed better.
func TestNoSecrets(t *testing.T) {
	for _, text := range []string{
		`password := os.Getenv("DB_PASSWORD1")`, `token = parseHTTP2Token(request)`, `token, err := lexer.next2()`, `password = config.db.password2`, `secret := r.Header.Get("X-Secret-Token-2")`,
		`"password": "your-password-1"`, `PASSWORD=${DB_PASSWORD_2}`, `password = "{{ vault.p4ss }}"`, `password = "********"`, `token = "xxxxxxxxxxxx"`, `password: ""`, `password: "password"`, `token: "identifier"`, `type Token struct {`, `tokenType = "access_token"`,
		`tokenUrl: "https://a.b/c1/oauth2/token"`, `const TokenKeyword1 Token = "keyword"`, `label(password="Password")`, `passwordField: "user_password"`, `secretName: my-app-secret-01`, `https://example.com:8080/a@b`, `git@github.com:a/b.git`, `http://user:${PASS}@host`, `mailto://a@b`,
		`sk-loading-spinner-container-wide`, `.sk-circle-bounce-delay-children {}`, `whsec_`, `AKIA`, `eyJhbGciOiJIUzI1NiJ9`, `checksum = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`, `sha256-q8Zr2LxT90bVnM4kQq8Zr2LxT90bVnM4kQ=`,
		"-----BEGIN CERTIFICATE-----\nMIIEpAIBAAKCAQEA7bq1\n-----END CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----\nMIIEpAIB\n-----END PUBLIC KEY-----", `strings.Contains(s, "PRIVATE KEY")`, `max_tokens: 1024`, `nextToken = token[1:32]`, `keyboard: "qwertz12345678"`,
		`var x = "integer_token2"`, `[aux_sym_integer_token2] = "integer_value_token2"`, `PrivateKey: testEd25519PrivateKey,`, `env = append(env, "PWD="+dir2+", ")`, "_SK_START = b\"-----BEGIN OPENSSH PRIVATE KEY-----\"\n_SK_END = b\"-----END OPENSSH PRIVATE KEY-----\"",
		`let token: Token = Token::new(3, "abc123def456ghi")`, `token = cfg["api-token-12345x"]`, "func (p *parser) token() string { return p.lit }", `tokens = [1234567890123456, 2]`, `bypass: "a1b2c3d4e5f6"`, `compass = "north1 west2"`, `for password in ["a1","b2"]:`,
	} {
		if got := HideSecrets(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// TestSecretsInWindows: a plan's request holds no byte of a secret, wherever the edges of
// its windows fall: a window that starts in the middle of a key would show the rest of it.
func TestSecretsInWindows(t *testing.T) {
	token := someKeys["GitHub"]
	body := strings.Repeat("MIIEpAIBAAKCAQEA7bq1Yd3Kz0xv9Tq5\n", 40)
	block := "-----BEGIN PRIVATE KEY-----\n" + body + "-----END PRIVATE KEY-----\n"
	rapid.Check(t, func(t *rapid.T) {
		filler := func(name string) string {
			return strings.Repeat("x = call(1)\n", rapid.IntRange(0, 30).Draw(t, name))
		}
		secret := rapid.SampledFrom([]string{"/*\n" + block + "*/\n", `a = "` + token + "\"\n", `password = "tr0ub4dor&3` + "\"\r\n"}).Draw(t, "secret")
		before := rapid.Bool().Draw(t, "before")
		text, at := filler("a")+secret+filler("b"), 0
		if before {
			at = len(text)
			text += "y = \n" + filler("c")
		} else {
			text = "y = \n" + text
		}
		at += len("y = ")
		opt := Options{Mode: Line, PrefixBytes: rapid.IntRange(20, 2000).Draw(t, "prefix"), SuffixBytes: rapid.IntRange(20, 2000).Draw(t, "suffix")}
		p := NewPlan(Document{Path: "a.py", Text: text}, ByteOffset(at), opt)
		if p.Mode == Nothing {
			t.Fatalf("nothing: %s", p.Reason)
		}
		r := p.Request()
		for _, part := range []string{"MIIE", "Kz0x", "16C7", "e178", "tr0u", "or&3"} {
			if strings.Contains(r.Prefix+"\x00"+r.Suffix, part) {
				t.Fatalf("the model sees %q in %q and %q", part, r.Prefix, r.Suffix)
			}
		}
		if !utf8.ValidString(r.Prefix + r.Suffix) {
			t.Fatal("half a character")
		}
	})
	// Nothing is suggested inside of one, in whatever mode: what could it be but a guess?
	for _, marked := range []string{`password = "hunter2!‸x"`, `password = "hunter2!x‸"`, "k = `-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq1\nYd3K‸z0xv9Tq5MIIEpAIBAAKCAQEA7bq1\n-----END PRIVATE KEY-----`\n"} {
		if p := planFor(t, "a.go", marked, Options{Mode: Block}); p.Mode != Nothing || !strings.Contains(p.Reason, "secret") {
			t.Errorf("%s: %v, %s", marked, p.Mode, p.Reason)
		}
	}
	p := planFor(t, "a.go", "package a\n\nconst password = \"hunter2!x\"\n\nfunc f() {\n\t‸\n}\n", Options{})
	if e := strings.Join(p.Explain(), "\n"); !strings.Contains(e, "1 of what look like secrets") {
		t.Errorf("a person is not told:\n%s", e)
	}
}

// FuzzSecrets: any text keeps its length and its line ends, and what is found in a part of it
// lies in the text, in order, apart, and touches that part.
func FuzzSecrets(f *testing.F) {
	for _, s := range []string{"password='", "token:=\"\\", "a://b:c@d", "-----BEGIN PRIVATE KEY-----\n", "eyJabcdefghijk.eyJ.", "SG.", "secret: type = b\"", "é://:é@", "pwd=\"\\\n"} {
		f.Add(s, 1, 5)
	}
	f.Fuzz(func(t *testing.T, text string, from, to int) {
		got := HideSecrets(text)
		if len(got) != len(text) || strings.Count(got, "\n") != strings.Count(text, "\n") {
			t.Fatalf("%q became %q", text, got)
		}
		from = max(0, min(from, len(text)))
		to = max(from, min(to, len(text)))
		last := -1
		for _, s := range secrets(text, from, to) {
			if s.start <= last || s.end <= s.start || s.end > len(text) || s.end <= from || s.start >= to {
				t.Fatalf("%q [%d, %d): %+v", text, from, to, s)
			}
			last = s.end
		}
	})
}

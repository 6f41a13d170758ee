package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func signed(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

func TestVerify_published_vectors(t *testing.T) {
	for _, tt := range []struct {
		name, style, header, value, secret, body string
		at                                       int64
	}{
		{
			"github", styleGitHub, "X-Hub-Signature-256", // docs.github.com, "Validating webhook deliveries"
			"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", "It's a Secret to Everybody", "Hello, World!", 0,
		},
		{
			"rfc_4231_case_2", styleHex, "X-Signature",
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "Jefe", "what do ya want for nothing?", 0,
		},
		{
			"rfc_4231_case_1", styleHex, "X-Signature",
			"sha256=b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", strings.Repeat("\x0b", 20), "Hi There", 0,
		},
		{
			"stripe", styleStripe, "Stripe-Signature", // of 1492774577.{"id":"evt_1"}, by openssl dgst -hmac
			"t=1492774577,v1=" + stripeVector + ",v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39", "whsec_test_secret", `{"id":"evt_1"}`, 1492774577,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := signature{style: tt.style, header: tt.header, secret: secret{text: tt.secret}, tolerance: defaultTolerance}
			now := time.Unix(tt.at, 0)
			verify := func(value, body string) error {
				return s.verify(http.Header{http.CanonicalHeaderKey(tt.header): {value}}, []byte(body), now)
			}
			if err := verify(tt.value, tt.body); err != nil {
				t.Errorf("as published: %v", err)
			}
			last := tt.value[:len(tt.value)-1]
			if tt.style == styleStripe {
				last = strings.Replace(tt.value, "v1="+stripeVector[:1], "v1=0", 1)
			}
			for name, err := range map[string]error{
				"another body": verify(tt.value, tt.body+" "), "no value": verify("", tt.body), "another value": verify(last, tt.body),
				"no header": s.verify(http.Header{}, []byte(tt.body), now),
			} {
				if !errors.Is(err, ErrSignature) {
					t.Errorf("%s: %v", name, err)
				}
			}
			s.secret.text += "x"
			if err := verify(tt.value, tt.body); !errors.Is(err, ErrSignature) {
				t.Errorf("another secret: %v", err)
			}
		})
	}
}

const stripeVector = "799c4ba7bb339f3c8601adfd112f0e477c930a268be1243d341abb8286501c2f"

func TestVerify_stripe_times(t *testing.T) {
	s := signature{style: styleStripe, header: "Stripe-Signature", secret: secret{text: "whsec_test_secret"}, tolerance: 5 * time.Minute}
	now := time.Unix(1_700_000_000, 0)
	of := func(at string) string { return signed("whsec_test_secret", at+".body") }
	for _, tt := range []struct {
		name, value string
		want        error
	}{
		{"now", "t=1700000000,v1=" + of("1700000000"), nil},
		{"spaces and other schemes", "t=1700000000, v0=12, v1=" + of("1700000000"), nil},
		{"the second of two secrets", "t=1700000000,v1=" + strings.Repeat("0", 64) + ",v1=" + of("1700000000"), nil},
		{"just early enough", "t=1699999700,v1=" + of("1699999700"), nil},
		{"too late", "t=1699999699,v1=" + of("1699999699"), ErrExpired},
		{"from a time to come", "t=1700000301,v1=" + of("1700000301"), ErrExpired},
		{"of the end of all times", "t=9223372036854775807,v1=" + of("9223372036854775807"), ErrExpired},
		{"beyond that", "t=9999999999999999999,v1=" + of("9999999999999999999"), ErrSignature},
		{"another time than was signed", "t=1700000001,v1=" + of("1700000000"), ErrSignature},
		{"late and wrong", "t=1,v1=" + strings.Repeat("0", 64), ErrSignature},
		{"two times", "t=1700000000,t=1700000000,v1=" + of("1700000000"), ErrSignature},
		{"no time", "v1=" + of(""), ErrSignature},
		{"a time that is none", "t=-5,v1=" + of("-5"), ErrSignature},
		{"only the old scheme", "t=1700000000,v0=" + of("1700000000"), ErrSignature},
		{"after more than are looked at", "t=1700000000" + strings.Repeat(",v1="+strings.Repeat("0", 64), maxSignatures) + ",v1=" + of("1700000000"), ErrSignature},
	} {
		if err := s.verify(http.Header{"Stripe-Signature": {tt.value}}, []byte("body"), now); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestVerify_github_needs_its_prefix(t *testing.T) {
	s := signature{style: styleGitHub, header: "X-Hub-Signature-256", secret: secret{text: "a good secret"}}
	sum := signed("a good secret", "body")
	for value, want := range map[string]error{"sha256=" + sum: nil, sum: ErrSignature, "sha1=" + sum[:40]: ErrSignature, "sha256=" + strings.ToUpper(sum): nil} {
		if err := s.verify(http.Header{"X-Hub-Signature-256": {value}}, []byte("body"), time.Now()); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", value, err, want)
		}
	}
}

func TestSecret_of_a_file_or_variable_is_read_each_time(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	s := secret{file: file}
	if _, err := s.read(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	for _, tt := range []struct{ content, want string }{
		{"first secret\nand more\n", "first secret"}, {"second secret", "second secret"}, {"third secret\r\n", "third secret"}, {"short\n", ""}, {"", ""},
	} {
		if err := os.WriteFile(file, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := s.read()
		if string(got) != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q: %q, %v", tt.content, got, err)
		}
		if err != nil && tt.content != "" && strings.Contains(err.Error(), "short") {
			t.Errorf("the error has what is in the file: %v", err)
		}
	}
	if _, err := (secret{file: filepath.Dir(file)}).read(); err == nil {
		t.Error("a folder is a secret")
	}
	t.Setenv("HOOK_SECRET", "of the environment")
	if got, err := (secret{env: "HOOK_SECRET"}).read(); err != nil || string(got) != "of the environment" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := (secret{env: "HOOK_SECRET_NOT_THERE"}).read(); err == nil {
		t.Error("no variable is a secret")
	}
}

// FuzzVerify looks for a header that is believed without the secret, or that breaks the
// reader.
func FuzzVerify(f *testing.F) {
	for _, seed := range []string{
		"", "sha256=", "t=1,v1=", "t=,v1=00", "sha256=" + strings.Repeat("0", 64), strings.Repeat("0", 64), "t=1700000000,v1=" + strings.Repeat("f", 64),
		"t=1,t=2", ",,,=,=", "v1=" + strings.Repeat("v1=", 100), "t=18446744073709551616,v1=00", "\x00\xff",
	} {
		f.Add(seed, "body")
	}
	f.Fuzz(func(t *testing.T, value, body string) {
		for style, header := range map[string]string{styleGitHub: "X-Hub-Signature-256", styleStripe: "Stripe-Signature", styleHex: "X-Signature"} {
			s := signature{style: style, header: header, secret: secret{text: "nobody knows this one"}, tolerance: time.Minute}
			h := http.Header{http.CanonicalHeaderKey(header): {value}}
			err := s.verify(h, []byte(body), time.Unix(1_700_000_000, 0))
			if err == nil && !strings.Contains(strings.ToLower(value), signed("nobody knows this one", body)) {
				t.Fatalf("%s believes %q", style, value)
			}
			if err != nil && !errors.Is(err, ErrSignature) {
				t.Fatalf("%s of %q: %v", style, value, err)
			}
		}
		if at, sums, ok := parseStripe(value); ok && (at == "" || len(sums) == 0 || len(sums) > maxSignatures) {
			t.Fatalf("%q: %q, %d", value, at, len(sums))
		}
	})
}

package api

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/latticed/latticed/store"
)

// BenchmarkIdentify is what a request costs more because of its token, or signature.
func BenchmarkIdentify(b *testing.B) {
	st, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "state"), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	s := New(Options{Store: st})
	text, id, err := newTokenText()
	if err != nil {
		b.Fatal(err)
	}
	if _, err := st.InsertToken(b.Context(), store.Token{ID: id, Name: "ci", Role: RoleSource, Hash: hashOfToken(text)}); err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/v1/whoami", http.NoBody)
	ask := func(b *testing.B, h http.Header) {
		b.Helper()
		r.Header = h
		_, done, err := s.identify(r, false)
		if err != nil {
			b.Fatal(err)
		}
		done()
	}
	b.Run("nothing", func(b *testing.B) {
		for b.Loop() {
			ask(b, nil)
		}
	})
	b.Run("token", func(b *testing.B) {
		h := bearer(text)
		b.ReportAllocs()
		for b.Loop() {
			ask(b, h)
		}
	})
	b.Run("signature", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			word, _, _ := newTokenText()
			h := signedBy(text, http.MethodGet, "/v1/whoami", "", time.Now(), word[len(word)-minWord:])
			b.StartTimer()
			ask(b, h)
		}
	})
	b.Run("wrong_token", func(b *testing.B) {
		h := bearer(text[:len(text)-2] + "AA")
		for b.Loop() {
			r.Header = h
			if _, _, err := s.identify(r, false); err == nil {
				b.Fatal("let in")
			}
		}
	})
	b.Run("unknown_token", func(b *testing.B) {
		other, _, _ := newTokenText()
		h := bearer(other)
		for b.Loop() {
			r.Header = h
			if _, _, err := s.identify(r, false); err == nil {
				b.Fatal("let in")
			}
		}
	})
}

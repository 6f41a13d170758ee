package webhook

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"regexp"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// Name is the name of the kind.
const Name = "webhook"

const (
	// madeSecret is how many random bytes a path has that is made here.
	madeSecret = 24
	// defaultRate is how many deliveries a trigger takes; it is about runaway senders.
	defaultRate = 600
)

var (
	secretPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_-]{16,128}$`) })
	headerPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$") })
)

func (h *Hub) kind(f *triggers.Fields) triggers.Made {
	s := &source{hub: h, name: f.Text("name", "")}
	m := triggers.Made{
		Source: s, Secrets: map[string]string{}, Fill: map[string]any{},
		Event: graph.Env{
			"body": graph.Any, "headers": graph.Object, "query": graph.Object, "id": graph.String,
			"path": graph.String, "time": graph.String,
		},
	}
	s.sign = readSignature(f, m.Secrets)
	s.tokens = f.Bool("tokens", false)
	s.path = readPath(f, s.sign == nil && !s.tokens, &m)
	s.idHeader = readHeader(f, "delivery_id", "")
	r := f.Rate("accept_rate", "deliveries", triggers.Rate{N: defaultRate, Per: time.Minute})
	s.limit = rate.NewLimiter(rate.Every(r.Per/time.Duration(r.N)), r.N)
	if f.Bool("observe", false) {
		m.Judge = func(map[string]any, time.Time) triggers.Judgement {
			return triggers.Judgement{Skip: triggers.ReasonObserved}
		}
	}
	return m
}

// readPath reads the secret path, or makes one when nothing else would protect the
// trigger.
func readPath(f *triggers.Fields, needed bool, m *triggers.Made) string {
	given := f.Has("path_secret")
	path := f.Text("path_secret", "")
	switch {
	case path == "" && !needed:
		f.Set("path_secret", nil, triggers.FromDefault)
		return ""
	case path == "" && given:
		f.Refuse("path_secret", graph.CodeBadValue, "is empty; leave it out to have one made")
		return ""
	case path == "":
		path = newSecret()
		m.Fill["path_secret"] = path
		f.Set("path_secret", path, "made here")
	case path != triggers.Masked && !secretPattern().MatchString(path):
		f.Refuse("path_secret", graph.CodeBadValue, "must be 16 to 128 letters, digits, dashes or underscores")
	}
	m.Secrets["path_secret"] = triggers.Masked
	return path
}

func newSecret() string {
	b := make([]byte, madeSecret)
	_, _ = rand.Read(b) // it never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// readHeader reads the name of a header.
func readHeader(f *triggers.Fields, field, byDefault string) string {
	name := f.Text(field, byDefault)
	if name != "" && !headerPattern().MatchString(name) {
		f.Refuse(field, graph.CodeBadName, "is not the name of a header")
		return byDefault
	}
	return http.CanonicalHeaderKey(name)
}

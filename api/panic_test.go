package api

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/rs/zerolog"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/triggers"
)

func bare(log *lockedBuffer) *Server {
	return New(Options{Log: zerolog.New(log)})
}

// ask asks a server without a connection.
func ask(s *Server, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	coverage.refused(w.Code, w.Body.Bytes())
	return w
}

func TestPanic_ends_one_request_only(t *testing.T) {
	log := &lockedBuffer{}
	s := bare(log)
	s.echo.GET("/boom", func(echo.Context) error { panic("boom") })
	for range 2 {
		w := ask(s, "/boom")
		if w.Code != 500 || !strings.Contains(w.Body.String(), `"code":"internal"`) || strings.Contains(w.Body.String(), "boom") {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if !strings.Contains(log.String(), "boom") || !strings.Contains(log.String(), "panic_test.go") {
		t.Errorf("the log doesn't say what happened: %s", log)
	}
}

func TestUnknown_errors_say_nothing_outside_and_everything_in_the_log(t *testing.T) {
	log := &lockedBuffer{}
	s := bare(log)
	s.echo.GET("/odd", func(echo.Context) error { return errors.New("secret detail") })
	w := ask(s, "/odd")
	if w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "secret detail") {
		t.Errorf("%s", log)
	}
}

func TestHealth_says_what_is_wrong(t *testing.T) {
	s := New(Options{Alive: func(context.Context) error { return errors.New("the loop does not turn") }})
	w := ask(s, "/healthz")
	if w.Code != 503 || !strings.Contains(w.Body.String(), `"detail":"the loop does not turn"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	s.o.Dispatcher, s.o.Triggers = dispatcher.New(nil, nil, dispatcher.Options{}), triggers.NewManager(nil, nil, triggers.Options{}) // nobody runs them
	w = ask(s, "/readyz")
	if w.Code != 503 || !strings.Contains(w.Body.String(), `"code":"starting"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	s.stop()
	w = ask(s, "/readyz")
	if w.Code != 503 || !strings.Contains(w.Body.String(), `"code":"stopping"`) || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestPrincipal_is_asked_of_the_connection_only(t *testing.T) {
	s := bare(&lockedBuffer{})
	w := ask(s, "/v1/whoami")
	if w.Code != 401 || !strings.Contains(w.Body.String(), `"code":"unauthenticated"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

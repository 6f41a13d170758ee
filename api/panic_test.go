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

func TestPanic_ends_one_request_only(t *testing.T) {
	log := &lockedBuffer{}
	s := bare(log)
	s.echo.GET("/boom", func(echo.Context) error { panic("boom") })
	for range 2 {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/boom", nil))
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
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/odd", nil))
	if w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "secret detail") {
		t.Errorf("%s", log)
	}
}

func TestHealth_says_what_is_wrong(t *testing.T) {
	s := New(Options{Alive: func(context.Context) error { return errors.New("the loop does not turn") }})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if w.Code != 503 || !strings.Contains(w.Body.String(), `"detail":"the loop does not turn"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	s.o.Dispatcher, s.o.Triggers = dispatcher.New(nil, nil, dispatcher.Options{}), triggers.NewManager(nil, nil, triggers.Options{}) // nobody runs them
	w = httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if w.Code != 503 || !strings.Contains(w.Body.String(), `"code":"starting"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	s.stop()
	w = httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if w.Code != 503 || !strings.Contains(w.Body.String(), `"code":"stopping"`) || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestPrincipal_is_asked_of_the_connection_only(t *testing.T) {
	s := bare(&lockedBuffer{})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/whoami", nil))
	if w.Code != 401 || !strings.Contains(w.Body.String(), `"code":"unauthenticated"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

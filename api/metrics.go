package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics is the daemon's own registry with what is counted at this door.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics(more []prometheus.Collector) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latticed_http_requests_total", Help: "Requests by method, route and status.",
		}, []string{"method", "route", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "latticed_http_request_seconds", Help: "Time to answer, by route.",
			Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 10, 60},
		}, []string{"route"}),
	}
	m.registry.MustRegister(m.requests, m.seconds,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(more...)
	return m
}

// methods are those that are counted by name. Any other word may stand where a method
// is expected, also a stranger's: each would be a series of its own, for good.
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

func (m *metrics) seen(method, route, code string, took time.Duration) {
	if route == "" {
		route = "none"
	}
	if !slices.Contains(methods, method) {
		method = "other"
	}
	m.requests.WithLabelValues(method, route, code).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

// Metrics implements StrictServerInterface.
func (s *Server) Metrics(ctx context.Context, _ MetricsRequestObject) (MetricsResponseObject, error) {
	return exposition{promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}), infoOf(ctx).request}, nil
}

// exposition is the text format, as the client asks for it.
type exposition struct {
	http.Handler
	request *http.Request
}

// VisitMetricsResponse implements MetricsResponseObject.
func (e exposition) VisitMetricsResponse(w http.ResponseWriter) error {
	e.ServeHTTP(w, e.request)
	return nil
}

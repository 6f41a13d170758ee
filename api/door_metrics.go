package api

import "github.com/prometheus/client_golang/prometheus"

// doorMetrics are what is counted of those who come over TCP.
func (s *Server) doorMetrics() []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "latticed_http_auth_failures_total", Help: "Requests with a wrong token or signature.",
		}, s.failures.count),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "latticed_http_connections", Help: "Open connections over TCP.",
		}, func() float64 { open, _ := s.crowd.counts(); return open }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "latticed_http_connections_refused_total", Help: "Connections over TCP that were closed because there were too many.",
		}, func() float64 { _, refused := s.crowd.counts(); return refused }),
	}
}

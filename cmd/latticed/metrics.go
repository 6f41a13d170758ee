package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/latticed/latticed/triggers"
)

const gaugesLimit = 2 * time.Second

// Describe implements prometheus.Collector: what is collected is not known before.
func (d *daemon) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector with the numbers of the rooms.
func (d *daemon) Collect(to chan<- prometheus.Metric) {
	m := meter{to}
	d.collectDispatcher(m)
	d.collectTriggers(m)
	d.collectFolders(m)
	d.collectDatabases(m)
	d.collectAlarms(m)
	d.collectStore(m)
	d.collectUpkeep(m)
	d.collectDoors(m)
	d.collectIncoming(m)
}

func (d *daemon) collectUpkeep(m meter) {
	held := func(yes bool) float64 {
		if yes {
			return 1
		}
		return 0
	}
	const help = "Whether no attempt starts, and why: little space on the disk, or the hold after a restore."
	m.gauge("latticed_held", help, held(d.gauge.low.Load()), prometheus.Labels{"reason": "disk"})
	m.gauge("latticed_held", help, held(d.triggers.Held()), prometheus.Labels{"reason": "restored"})
	m.count("latticed_disk_holds_total", "How often there was too little space for attempts to start.", d.gauge.holds.Load(), nil)
	m.gauge("latticed_state_free_bytes", "Space that is free where the state directory is.", float64(d.gauge.free.Load()), nil)
	p := d.janitor.pruned()
	m.count("latticed_pruned_dispatches_total", "Dispatches that retention has removed.", p.Dispatches, nil)
	m.count("latticed_pruned_events_total", "Events that retention has removed.", p.Events, nil)
	m.count("latticed_pruned_bytes_total", "Bytes of assets that retention has removed.", p.Bytes, nil)
}

func (d *daemon) collectDispatcher(m meter) {
	s := d.dispatcher.Stats()
	m.gauge("latticed_dispatches_live", "Dispatches being walked.", float64(s.Live), nil)
	m.gauge("latticed_dispatches_window", "Dispatches that may be walked at a time.", float64(s.Window), nil)
	for name, n := range s.Running {
		m.gauge("latticed_attempts_running", "Attempts that hold a slot.", float64(n), prometheus.Labels{"executor": name})
	}
	for name, n := range s.Slots {
		m.gauge("latticed_attempt_slots", "Attempts that may run at a time.", float64(n), prometheus.Labels{"executor": name})
	}
	m.count("latticed_dispatches_accepted_total", "Dispatches accepted over HTTP.", s.Accepted, nil)
	for status, n := range s.Ended {
		m.count("latticed_dispatches_ended_total", "Dispatches that ended, by state.", n, prometheus.Labels{"status": string(status)})
	}
	for status, n := range s.Attempts {
		m.count("latticed_attempts_ended_total", "Attempts that ended, by state.", n, prometheus.Labels{"status": string(status)})
	}
	m.count("latticed_retries_total", "Attempts that were repeated.", s.Retries, nil)
	m.count("latticed_electrons_reused_total", "Electrons whose result was taken over from an earlier dispatch.", s.Reused, nil)
	m.count("latticed_step_retries_total", "Steps that could not be stored at once.", s.StepRetries, nil)
	m.count("latticed_walker_restarts_total", "Walks that started over.", s.Restarts, nil)
}

func (d *daemon) collectTriggers(m meter) {
	s := d.triggers.Stats()
	for kind, states := range s.Kinds {
		for state, n := range states {
			m.gauge("latticed_triggers", "Triggers by kind and state.", float64(n), prometheus.Labels{"kind": kind, "state": string(state)})
		}
	}
	for kind, n := range s.Events {
		m.count("latticed_events_total", "Events stored, by kind.", n, prometheus.Labels{"kind": kind})
	}
	decided := func(name, help string, by map[triggers.Decided]int64) {
		for v, n := range by {
			m.count(name, help, n, prometheus.Labels{"decision": string(v.State), "reason": v.Reason})
		}
	}
	decided("latticed_event_decisions_total", "Events by what was decided and why.", s.Decided)
	decided("latticed_firings_total", "Firings by decision and reason.", s.Firings)
	for reason, n := range s.Waiting {
		m.gauge("latticed_events_held", "Events that are held, by reason.", float64(n), prometheus.Labels{"reason": reason})
	}
	m.count("latticed_events_dead_total", "Events that could not be decided.", s.Dead, nil)
	m.gauge("latticed_triggers_looping", "Triggers that seem to feed themselves.", float64(s.Loops), nil)
	m.gauge("latticed_triggers_silent", "Triggers without the events that expect_every waits for.", float64(s.Silent), nil)
	m.gauge("latticed_events_lag_seconds", "Age of the oldest event without a decision.", s.Lag.Seconds(), nil)
}

func (d *daemon) collectFolders(m meter) {
	s := d.folders()
	m.gauge("latticed_watches", "Watches of inotify that are held.", float64(s.Watches), nil)
	m.count("latticed_watch_overflows_total", "Queues of inotify that overflowed; everything was looked at then.", s.Overflows, nil)
	m.count("latticed_folder_looks_total", "Looks at everything a trigger watches.", s.Looks, nil)
}

func (d *daemon) collectDatabases(m meter) {
	s := d.databases()
	m.gauge("latticed_databases", "Databases that triggers watch.", float64(s.Databases), nil)
	m.gauge("latticed_databases_down", "Of them, those that can't be reached.", float64(s.Down), nil)
	m.gauge("latticed_database_connections", "Connections to them that are open.", float64(s.Connections), nil)
	m.count("latticed_database_connects_total", "Connections that were made.", s.Connects, nil)
	m.count("latticed_database_polls_total", "Looks of triggers at a table; those that need none are not counted.", s.Polls, nil)
	m.count("latticed_database_rows_total", "Rows that were handed over.", s.Rows, nil)
}

func (d *daemon) collectAlarms(m meter) {
	a := d.bell.current()
	if a == nil {
		return
	}
	m.gauge("latticed_alarms_waiting", "Failing triggers that were not told yet.", float64(a.waiting()), nil)
	for _, c := range a.couriers {
		results, queue := c.stats()
		for result, n := range results {
			m.count("latticed_alarms_total", "Alarms that ended, by how they are delivered and by how that went.", n, prometheus.Labels{"by": c.name, "result": result})
		}
		m.gauge("latticed_alarms_queue", "Alarms that wait to be delivered.", float64(queue), prometheus.Labels{"by": c.name})
	}
}

func (d *daemon) collectStore(m meter) {
	s := d.store.Stats()
	m.count("latticed_store_units_total", "Changes committed.", s.Units, nil)
	m.count("latticed_store_commits_total", "Transactions.", s.Commits, nil)
	m.count("latticed_store_failures_total", "Transactions that failed.", s.Failures, nil)
	m.gauge("latticed_store_queue", "Changes waiting to be committed.", float64(s.Queue), nil)
	m.gauge("latticed_store_db_bytes", "Size of the database.", float64(s.DBBytes), nil)
	m.gauge("latticed_store_wal_bytes", "Size of the write-ahead log.", float64(s.WALBytes), nil)
	ctx, cancel := context.WithTimeout(context.Background(), gaugesLimit)
	defer cancel()
	g, err := d.store.Gauges(ctx)
	if err != nil {
		d.log.Warn().Err(err).Msg("gauges can't be read")
		return
	}
	const help = "Dispatches under way, by state."
	m.gauge("latticed_dispatches", help, float64(g.DispatchesPending), prometheus.Labels{"status": "pending"})
	m.gauge("latticed_dispatches", help, float64(g.DispatchesRunning), prometheus.Labels{"status": "running"})
	m.gauge("latticed_dispatches_held", "Of those that are pending, those that wait for others of their sweep.", float64(g.DispatchesHeld), nil)
	m.gauge("latticed_events", "Events without a decision, by state.", float64(g.EventsPending), prometheus.Labels{"state": "pending"})
	m.gauge("latticed_events", "Events without a decision, by state.", float64(g.EventsHeld), prometheus.Labels{"state": "held"})
}

// meter makes metrics out of numbers.
type meter struct{ to chan<- prometheus.Metric }

func (m meter) gauge(name, help string, v float64, labels prometheus.Labels) {
	m.send(name, help, prometheus.GaugeValue, v, labels)
}

func (m meter) count(name, help string, v int64, labels prometheus.Labels) {
	m.send(name, help, prometheus.CounterValue, float64(v), labels)
}

func (m meter) send(name, help string, kind prometheus.ValueType, v float64, labels prometheus.Labels) {
	metric, err := prometheus.NewConstMetric(prometheus.NewDesc(name, help, nil, labels), kind, v)
	if err != nil {
		metric = prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(err), err)
	}
	m.to <- metric
}

package runner

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"
)

// accept takes a Start: it joins the attempt, or makes it and launches it. It runs in
// the session's goroutine, so that a Cancel which follows finds the attempt.
func (r *runner) accept(s *session, m *Start, fds []int) {
	if !validAttempt(m.Attempt) {
		CloseAll(fds)
		s.send(&Refused{Attempt: m.Attempt, Code: CodeInvalid, Text: "not the name of an attempt", Permanent: true})
		return
	}
	r.mu.Lock()
	_, here := r.attempts[m.Attempt]
	r.mu.Unlock()
	if !here && r.astray() {
		CloseAll(fds)
		s.send(r.moved(m.Attempt))
		return
	}
	r.mu.Lock()
	a, known := r.attempts[m.Attempt] // one may have been taken over meanwhile
	if !known && (m.Attach || m.Cancel) {
		r.mu.Unlock()
		CloseAll(fds)
		r.absent(s, m)
		return
	}
	if !known {
		a = newAttempt(m.Attempt, filepath.Join(r.work, m.Attempt))
		a.timeout = time.Duration(m.Timeout) * time.Microsecond
		a.grace = time.Duration(m.Grace) * time.Microsecond
		r.attempts[a.id] = a
		r.live++
	}
	a.wishes[s] = wish{collect: m.Collect, outputs: m.Outputs}
	phase, cond, asleep := a.phase, a.cond, r.asleep
	r.mu.Unlock()
	if !known {
		if asleep {
			poke(r.changed)
		}
		r.soon(func() { r.begin(a, m, fds) })
		return
	}
	CloseAll(fds)
	if phase == ended {
		go r.report(a, s)
		return
	}
	if cond.Code != "" {
		s.send(&cond)
	}
	if m.Cancel {
		go r.stop(a, CauseCancel)
	}
}

// moved refuses an attempt that another runner may start.
func (r *runner) moved(attempt string) *Refused {
	return &Refused{Attempt: attempt, Code: CodeMoved, Text: fmt.Sprintf("not started: %s was moved or removed while its runner lived; another runner starts it", r.work)}
}

// absent answers for an attempt that isn't here.
func (r *runner) absent(s *session, m *Start) {
	r.adopt(nil)
	r.mu.Lock()
	_, known := r.attempts[m.Attempt]
	r.mu.Unlock()
	switch {
	case known:
		r.accept(s, m, nil)
		return
	case r.elsewhere(m.Attempt):
		s.send(&Refused{Attempt: m.Attempt, Code: CodeElsewhere, Text: "another runner has the attempt and has not left yet"})
		return
	}
	if !m.Cancel {
		s.send(&Unknown{Attempt: m.Attempt})
		return
	}
	removeDir(filepath.Join(r.work, m.Attempt)) // of a runner that died before the start
	s.send(&Ended{Attempt: m.Attempt, Cause: CauseCancel, Exit: -1, EndedAt: time.Now().UnixMicro()})
}

const workers = 4

// soon runs f beside the caller. Goroutines that have done such things before have the
// stack for it; when all are busy there is a new one.
func (r *runner) soon(f func()) {
	select {
	case r.jobs <- f:
	default:
		go f()
	}
}

func (r *runner) worker(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-r.jobs:
			f()
		}
	}
}

// begin starts an attempt. Whatever fails before the journal knows of it leaves no
// trace, so that it may be tried again.
func (r *runner) begin(a *attempt, m *Start, fds []int) {
	err := r.prepare(a, m, fds)
	CloseAll(fds)
	if err == nil {
		err = r.fork(a, m)
	}
	if err == nil {
		r.wait()
		return
	}
	ref := startRefusal(err, r.work)
	answer := &Refused{Attempt: a.id, Code: ref.code, Text: ref.Error(), Permanent: ref.permanent}
	if r.astray() { // most likely the reason
		answer = r.moved(a.id)
	}
	r.unprepare(a)
	for _, s := range r.drop(a) {
		s.send(answer)
	}
}

// prepare makes everything an attempt needs but its process.
func (r *runner) prepare(a *attempt, m *Start, fds []int) error {
	if len(m.Argv) == 0 {
		return refuse(CodeInvalid, true, "no command")
	}
	if err := r.journal.append(&record{Kind: recPrepare, Attempt: a.id}); err != nil {
		return err
	}
	if logs, ok := r.rooms.enter(a.dir); ok {
		a.logs = logs
	} else if err := makeRoom(a); err != nil {
		return err
	}
	if err := layOut(a.dir, m.Files, fds); err != nil {
		return err
	}
	if r.groups != nil {
		s, err := r.groups.take()
		if err != nil {
			return err
		}
		a.slot = s
	}
	return nil
}

func makeRoom(a *attempt) error {
	if err := makeDir(a.dir); err != nil {
		return err
	}
	for i := range a.logs {
		fd, err := openLog(a.logPath(i))
		if err != nil {
			return err
		}
		a.logs[i] = fd
	}
	return nil
}

func (r *runner) unprepare(a *attempt) {
	closeLogs(a)
	if a.slot != nil {
		r.groups.give(a.slot)
	}
	removeDir(a.dir)
	r.journal.forget(a.id)
}

// fork starts the process of a prepared attempt.
func (r *runner) fork(a *attempt, m *Start) error {
	env := mergeEnv(r.env, m.Env, m.Unset)
	path, err := lookPath(m.Argv[0], lookupEnv(env, "PATH"), a.dir)
	if err != nil {
		return err
	}
	intent := record{Kind: recIntent, Attempt: a.id, Timeout: m.Timeout, Grace: m.Grace, At: time.Now().UnixMicro()}
	if a.slot != nil {
		intent.Slot = a.slot.path
	}
	if err := r.journal.append(&intent); err != nil {
		return err
	}
	sys := &syscall.SysProcAttr{Setsid: true}
	if a.slot != nil {
		sys.UseCgroupFD, sys.CgroupFD = true, a.slot.fd
	}
	attr := &syscall.ProcAttr{
		Dir: a.dir, Env: env, Sys: sys,
		Files: []uintptr{uintptr(r.null), uintptr(a.logs[0]), uintptr(a.logs[1])},
	}
	if err := r.forkExec(a, path, m.Argv, attr); err != nil {
		return r.unfork(a, execRefusal(path, m.Argv, err))
	}
	if err := r.journal.append(&record{Kind: recPID, Attempt: a.id, PID: int64(a.pid), From: a.from, To: a.to}); err != nil {
		r.log.Warn().Err(err).Str("attempt", a.id).Msg("its pid is not in the journal")
	}
	return nil
}

// unfork takes an intent back: the journal must not speak of a start that didn't
// happen, and must not call the attempt done with either, since it may be tried again.
func (r *runner) unfork(a *attempt, err error) error {
	return errors.Join(err, r.journal.append(&record{Kind: recUndo, Attempt: a.id}))
}

// forkExec starts the process and registers it before the reaper may look for it.
func (r *runner) forkExec(a *attempt, path string, argv []string, attr *syscall.ProcAttr) error {
	r.forking.Lock()
	defer r.forking.Unlock()
	started, from := time.Now(), ticks()
	pid, err := syscall.ForkExec(path, argv, attr)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	a.pid, a.started, a.from, a.to = pid, started, from, ticks()
	a.phase = running
	r.mains[pid] = a
	if a.timeout > 0 {
		a.timer = time.AfterFunc(a.timeout, func() { r.stop(a, CauseTimeout) })
	}
	if cause := a.cause; cause != "" { // asked for while it was being started
		a.cause = ""
		go r.stop(a, cause)
	}
	return nil
}

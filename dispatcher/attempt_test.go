package dispatcher

import (
	"errors"
	"fmt"
	"testing"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

func TestJudge(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		err, cause error
		kind       verdictKind
		status     graph.Status
		code       string // of the error or of the trouble
		permanent  bool
	}{
		"an_end_is_an_end":                      {nil, nil, over, "", "", false},
		"an_end_counts_though_we_leave":         {nil, executors.ErrDetached, over, "", "", false},
		"left_alone_when_we_leave":              {executors.ErrDetached, executors.ErrDetached, left, "", "", false},
		"left_alone_whatever_the_error":         {boom, executors.ErrDetached, left, "", "", false},
		"lost_is_over":                          {fmt.Errorf("x: %w", executors.ErrLost), nil, over, graph.Lost, "lost", false},
		"lost_while_cancelling_is_lost":         {executors.ErrLost, executors.ErrCancelled, over, graph.Lost, "lost", false},
		"unknown_is_asked_again":                {fmt.Errorf("x: %w", executors.ErrUnknown), nil, again, "", "unknown", false},
		"unknown_while_cancelling_is_asked_too": {executors.ErrUnknown, executors.ErrCancelled, again, "", "unknown", false},
		"survivors_are_asked_again":             {executors.ErrSurvivors, executors.ErrCancelled, again, "", "survivors", false},
		"cancelled_before_it_began":             {executors.ErrCancelled, executors.ErrCancelled, over, graph.Cancelled, "cancelled", false},
		"not_started_and_cancelled":             {boom, executors.ErrCancelled, over, graph.Cancelled, "cancelled", false},
		"permanent_fails":                       {executors.Permanent(boom), nil, over, graph.Failed, "executor", true},
		"permanent_keeps_its_code": {
			executors.Permanent(executors.Failf(executors.CodeCommandNotFound, "no gnuplot")), nil, over, graph.Failed, "command_not_found", true,
		},
		"anything_else_is_tried_again": {boom, nil, again, "", "executor", false},
	} {
		t.Run(name, func(t *testing.T) {
			v := judge(c.err, c.cause)
			code := v.trouble.code
			if v.err != nil {
				code = v.err.Code
			}
			if v.kind != c.kind || v.status != c.status || code != c.code || v.permanent != c.permanent {
				t.Errorf("judge(%v, %v) = %+v", c.err, c.cause, v)
			}
			if v.trouble.unknown != (c.code == "unknown") {
				t.Errorf("unknown is %v", v.trouble.unknown)
			}
		})
	}
}

func TestNewest_keeps_the_last_word_of_each_attempt(t *testing.T) {
	a, b := &attempt{id: "a"}, &attempt{id: "b"}
	got := newest([]news{
		{attempt: a, trouble: trouble{code: "unknown"}},
		{attempt: b, trouble: trouble{code: "executor"}},
		{attempt: a, end: &ending{}},
		{attempt: b, trouble: trouble{}},
		{attempt: a, trouble: trouble{code: "survivors"}}, // said late: the end stands
	})
	if len(got) != 2 || got[0].attempt != a || got[0].end == nil || got[1].attempt != b || got[1].trouble.code != "" {
		t.Errorf("kept %+v", got)
	}
}

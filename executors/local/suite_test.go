package local

import (
	"testing"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/executors/executortest"
)

type suitePlace struct{ *place }

func (p suitePlace) Open(*testing.T) executors.Executor { return p.start() }

func TestExecutor(t *testing.T) {
	t.Run("with_control_groups", func(t *testing.T) {
		executortest.Run(t, func(t *testing.T) executortest.Place { return suitePlace{newPlace(t)} })
	})
	t.Run("without_control_groups", func(t *testing.T) {
		executortest.Run(t, func(t *testing.T) executortest.Place { return suitePlace{newPlace(t, noCgroup)} })
	})
}

func noCgroup(o *Options) { o.Runner.NoCgroup = true }

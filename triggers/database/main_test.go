package database

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/latticed/latticed/triggers/database/dbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(dbtest.Main(m)) }

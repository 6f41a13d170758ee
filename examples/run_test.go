package examples_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if path, _ := program(); path != "" {
			_ = os.RemoveAll(filepath.Dir(path))
		}
		os.Exit(code)
	}))
}

func TestPolyfit_gives_the_certified_values_as_a_lattice(t *testing.T) {
	var fit struct {
		Degree       int       `json:"degree"`
		Points       int       `json:"points"`
		Coefficients []float64 `json:"coefficients"`
		Errors       []float64 `json:"errors"`
		RSquared     float64   `json:"r_squared"`
	}
	run(t, &fit, "polyfit/lattice.yaml", "-i", "data=polyfit/loadcell.csv")
	if fit.Degree != 2 || fit.Points != 40 || len(fit.Errors) != 3 {
		t.Errorf("got %+v", fit)
	}
	// Of the data set Pontius of the NIST Statistical Reference Datasets.
	for i, want := range []float64{0.673565789473684e-03, 0.732059160401003e-06, -0.316081871345029e-14} {
		if got := fit.Coefficients[i]; math.Abs(got-want) > 1e-11*math.Abs(want) {
			t.Errorf("coefficient %d is %v, want %v", i, got, want)
		}
	}
	if math.Abs(fit.RSquared-0.999999900178537) > 1e-14 {
		t.Errorf("R² is %v", fit.RSquared)
	}
}

func TestLennardJones_conserves_energy_within_the_stated_bound(t *testing.T) {
	for state, density := range map[string]float64{"liquid": 0.8442, "gas": 0.1} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			var out struct {
				Density, Temperature float64
				EnergyPerAtom        float64 `json:"energy_per_atom"`
				EnergyError          float64 `json:"energy_error"`
				EnergyDrift          float64 `json:"energy_drift"`
			}
			run(t, &out, "lennard-jones/lattice.yaml", "-i", "state=lennard-jones/"+state+".json")
			if math.Abs(out.Density-density) > 1e-9 {
				t.Errorf("the density is %v, want %v", out.Density, density)
			}
			if !(out.EnergyError > 0 && out.EnergyError < 1e-3) || math.Abs(out.EnergyDrift) > 5e-4 {
				t.Errorf("the total energy moved by %v, along a line by %v", out.EnergyError, out.EnergyDrift)
			}
			if out.EnergyPerAtom > 2 || out.EnergyPerAtom < -8 || out.Temperature < 0.5 || out.Temperature > 2 {
				t.Errorf("no such liquid or gas: %+v", out)
			}
		})
	}
}

func TestLennardJones_refuses_a_time_step_that_is_too_long(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), build(t), "run", "lennard-jones/lattice.yaml",
		"-i", "state=lennard-jones/liquid.json", "-i", "dt=0.02", "-i", "steps=100")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "take a smaller dt") {
		t.Errorf("%v\n%s", err, out)
	}
}

// run runs a lattice without a daemon and reads its result.
func run(t *testing.T, result any, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), build(t), append([]string{"run"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("latticed run %v: %v\n%s", args, err, out)
	}
	if err := json.Unmarshal(out, result); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
}

// program builds the program for the first test that asks.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "examples")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "latticed")
	cmd := exec.Command("go", "build", "-o", path, "../cmd/latticed")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return path, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func build(t *testing.T) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

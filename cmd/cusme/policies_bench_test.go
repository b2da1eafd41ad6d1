package main

import (
	"fmt"
	"math"
	"os"
	"testing"
	"text/tabwriter"
	"time"

	"cusme.dev/cusme/internal/simulate"
)

// BenchmarkPolicies compares cusme with its peers: recorded traces where there
// are some, and the built-in day otherwise. It prints a table and asserts nothing.
func BenchmarkPolicies(b *testing.B) {
	arenas := recordedArenas(b)
	if len(arenas) == 0 {
		fmt.Printf("\n%s. In their place the day that is built in:\n", noTraces)
		arenas = arenasOf(b, []simulate.Trace{simulate.Day()})
	}
	for b.Loop() {
		compare(b, arenas)
	}
	b.ReportMetric(0, "ns/op")
}

func compare(b *testing.B, arenas []arena) {
	table := newStandings("%d traces: ratio of what was billed to the work there was / p95 wait in s", len(arenas))
	for _, a := range arenas {
		table.add(a.Name)
	}
	for _, a := range arenas {
		if a.world.Drain {
			table.add(a.Name + ", killed")
		}
	}
	table.row("mean ratio", "goals", "waited > 30 s", "started", "gone young", "s")
	for _, c := range entrants(b) {
		bouts := meet(arenas, c)
		fight(b, bouts)
		table.add(c.name)
		for _, bout := range bouts {
			table.add(bout.cell())
		}
		s := scoreOf(bouts[:len(arenas)])
		table.row(fmt.Sprintf("%.2f", s.ratio), fmt.Sprint(s.goals), fmt.Sprintf("%.2f %%", 100*s.over), fmt.Sprint(s.started), fmt.Sprint(s.young), fmt.Sprintf("%.1f", s.took.Seconds()))
	}
	table.bounds(b, arenas)
	table.print()
	for _, a := range arenas {
		switch a.Name {
		case "img_sd_nov":
			zero(b, a)
		case "jobs_openb":
			losses(b, a)
		case "web_nasa_july", "day":
			faults(b, a)
		}
	}
}

// An entrant is a policy, made for each trace.
type entrant struct {
	name string
	of   func(arena) simulate.Contender
}

func entrants(b *testing.B) (all []entrant) {
	for _, c := range append(simulate.Peers(), cusmeOf(b, "bands"), cusmeOf(b, "objective"), cusmeOf(b, "objective-young")) {
		all = append(all, entrant{c.Name, func(arena) simulate.Contender { return c }})
	}
	return append(all,
		entrant{"fixed at the mean", func(a arena) simulate.Contender { return simulate.Fixed(int32(math.Ceil(a.mean))) }},
		entrant{"fixed at the peak", func(a arena) simulate.Contender { return simulate.Fixed(a.world.Max) }},
	)
}

// meet has a policy replay every trace, then those that are drained once more without.
func meet(arenas []arena, e entrant) (bouts []bout) {
	for _, a := range arenas {
		bouts = append(bouts, bout{arena: a, Contender: e.of(a)})
	}
	for _, a := range arenas {
		if a.world.Drain {
			bouts = append(bouts, killed(a, e.of(a)))
		}
	}
	return bouts
}

// zero compares policies that reach zero.
func zero(b *testing.B, a arena) {
	s := newStandings("%s from zero", a.Name)
	s.row("ratio / p95", "waited > 30 s", "started")
	bouts := []bout{fromZero(a, simulate.Knative(0.7)), fromZero(a, simulate.KEDA(0.65)), fromZero(a, cusmeOf(b, "objective"))}
	fight(b, bouts)
	for _, bout := range bouts {
		s.add(bout.Contender.Name)
		s.row(bout.cell(), fmt.Sprintf("%.2f %%", 100*bout.Waits.Over), fmt.Sprint(bout.Started))
	}
	bound, err := simulate.Clairvoyant(b.Context(), bouts[0].world, a.Trace)
	if err != nil {
		b.Fatal(err)
	}
	s.add("bound")
	s.row(fmt.Sprintf("%.2f", bound.Ratio(bound.Relaxed)))
	s.print()
}

// losses compares what becomes of jobs that are killed after a grace.
func losses(b *testing.B, a arena) {
	s := newStandings("%s, killed %s after they are chosen, by pods that tell whether they work", a.Name, a.world.Grace)
	s.row("ratio / p95", "lost")
	bouts := []bout{killed(a, simulate.HPA(0.65)), killed(a, cusmeOf(b, "objective"))}
	fight(b, bouts)
	for _, bout := range bouts {
		s.add(bout.Contender.Name)
		s.row(bout.cell(), fmt.Sprint(bout.Lost))
	}
	s.print()
}

// faults compares what an objective does on an index that fails.
func faults(b *testing.B, a arena) {
	s := newStandings("%s, whose index fails for 30 minutes at noon, under an objective", a.Name)
	s.row("ratio / p95", "waited > 30 s", "started")
	bouts := trialsOf(a, cusmeOf(b, "objective"))
	fight(b, bouts)
	for _, bout := range bouts {
		s.add(bout.Contender.Name)
		s.row(bout.cell(), fmt.Sprintf("%.2f %%", 100*bout.Waits.Over), fmt.Sprint(bout.Started))
	}
	s.print()
}

// Standings are a table that is printed when all is in it.
type standings struct{ *tabwriter.Writer }

func newStandings(title string, args ...any) *standings {
	fmt.Printf("\n"+title+"\n\n", args...)
	s := &standings{tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)}
	s.add("")
	return s
}

func (s *standings) add(cell string) { fmt.Fprintf(s, "%s\t", cell) }

func (s *standings) row(cells ...string) {
	for _, c := range cells {
		s.add(c)
	}
	fmt.Fprintln(s)
}

func (s *standings) print() { s.Flush() }

// bounds adds the rows of somebody who knows the demand beforehand.
func (s *standings) bounds(b *testing.B, arenas []arena) {
	bounds, errs := make([]simulate.Bound, len(arenas)), make([]error, len(arenas))
	inParallel(len(arenas), func(i int) {
		bounds[i], errs[i] = simulate.Clairvoyant(b.Context(), arenas[i].world, arenas[i].Trace)
	})
	for _, of := range []struct {
		name   string
		billed func(simulate.Bound) time.Duration
	}{
		{"bound, waits of 30 s", func(b simulate.Bound) time.Duration { return b.Relaxed }},
		{"bound, no wait", func(b simulate.Bound) time.Duration { return b.NoWait }},
	} {
		s.add(of.name)
		logs := 0.0
		for i, bound := range bounds {
			if errs[i] != nil {
				b.Fatal(errs[i])
			}
			ratio := bound.Ratio(of.billed(bound))
			s.add(fmt.Sprintf("%.2f", ratio))
			logs += math.Log(ratio) / float64(len(bounds))
		}
		for _, a := range arenas {
			if a.world.Drain {
				s.add("")
			}
		}
		s.row(fmt.Sprintf("%.2f", math.Exp(logs)))
	}
}

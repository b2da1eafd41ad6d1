package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A sheet sums up scale-ins.
type sheet struct {
	scaleIns, disturbed, steerable, removed, predicted, missed, young, ordinary int
	waits                                                                       []time.Duration
}

func (s *sheet) add(in scaleIn) {
	if len(in.gone) == 0 && len(in.announced) == 0 {
		return // It took back a replica that had no pod yet.
	}
	s.scaleIns++
	s.removed += len(in.gone)
	for _, v := range in.gone {
		if v.young() {
			s.young++
		}
		if !v.elastic && v.elsewhere && v.fault == "" {
			s.ordinary++
		}
	}
	if in.disturbed {
		s.disturbed++
	}
	if in.rollout || in.disturbed {
		return
	}
	s.steerable++
	s.waits = append(s.waits, in.waited())
	if slices.Equal(in.names(), in.announced) {
		s.predicted++
	} else {
		s.missed++
	}
}

// convince fails the test when too little happened to prove anything, or too much was missed.
// Each calm round has one scale-in or more.
func (s *sheet) convince(t testing.TB, least int) {
	t.Helper()
	if s.steerable < least {
		t.Errorf("expected at least %d steerable scale-ins, one in each calm round, got %d", least, s.steerable)
	}
	if s.missed*100 > s.steerable {
		t.Errorf("%d of %d steerable scale-ins took other pods than announced; 99%% were to be as announced", s.missed, s.steerable)
	}
}

// table sets cusme's sheet beside the plain one.
func table(steered, plain sheet) string {
	var out strings.Builder
	line := func(name string, of func(sheet) string) {
		fmt.Fprintf(&out, "%-52s %10s %10s\n", name, of(steered), of(plain))
	}
	number := func(of func(sheet) int) func(sheet) string {
		return func(s sheet) string { return fmt.Sprint(of(s)) }
	}
	fmt.Fprintf(&out, "%-52s %10s %10s\n", "", "cusme", "plain")
	line("scale-ins", number(func(s sheet) int { return s.scaleIns }))
	line("of these disturbed while the pods went", number(func(s sheet) int { return s.disturbed }))
	line("of these steerable: neither disturbed nor a rollout", number(func(s sheet) int { return s.steerable }))
	line("pods removed", number(func(s sheet) int { return s.removed }))
	line("young pods removed", number(func(s sheet) int { return s.young }))
	line("ordinary pods removed while an elastic one stayed", number(func(s sheet) int { return s.ordinary }))
	fmt.Fprintf(&out, "%-52s %10d %10s\n", "steerable ones that took exactly the pods announced", steered.predicted, "-")
	fmt.Fprintf(&out, "%-52s %10d %10s\n", "missed", steered.missed, "-")
	fmt.Fprintf(&out, "%-52s %10s %10s\n", "wait after allowed, median", quantile(steered.waits, 0.5), "-")
	fmt.Fprintf(&out, "%-52s %10s %10s\n", "wait after allowed, max", quantile(steered.waits, 1), "-")
	return out.String()
}

func quantile(of []time.Duration, q float64) string {
	if len(of) == 0 {
		return "none"
	}
	of = slices.Sorted(slices.Values(of))
	return of[int(q*float64(len(of)-1))].Round(100 * time.Millisecond).String()
}

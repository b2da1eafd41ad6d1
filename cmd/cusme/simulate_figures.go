package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"cusme.dev/cusme/internal/dashboard"
	"cusme.dev/cusme/internal/simulate"
)

// A figure is one column of the comparison.
type figure struct {
	name, about string
	of          func(o outcome) string
}

// figures are the columns of the table and of the page.
func (r *rehearsal) figures(limit time.Duration) []figure {
	all := []figure{
		{"MEAN", "mean wait", func(o outcome) string { return brief(o.Waits.Mean) }},
		{"P50", "half of the requests waited no longer", func(o outcome) string { return brief(o.Waits.P50) }},
		{"P95", "95 of 100 requests waited no longer", func(o outcome) string { return brief(o.Waits.P95) }},
		{"P99", "99 of 100 requests waited no longer", func(o outcome) string { return brief(o.Waits.P99) }},
		{">" + brief(limit), "share of requests that waited longer than the limit", func(o outcome) string { return percent(o.Waits.Over) }},
		{"GPU-H", "GPU-hours billed, from pods' creation to their end", func(o outcome) string { return gpuHours(o.Billed) }},
		{"RATIO", "GPU-hours billed for each that requests needed", func(o outcome) string { return ratio(o.Ratio()) }},
		{"/BEST", "GPU-hours, as a multiple of the best possible with waits up to the limit", func(o outcome) string { return ratio(o.overBest()) }},
		{"STARTED", "pods started", func(o outcome) string { return integer(o.Started) }},
		{"YOUNG", "pods removed before they were of the minimum age", func(o outcome) string { return integer(o.Young) }},
		{"MOVES", "changes of replicas", func(o outcome) string { return integer(o.Moves) }},
		{"BACK", "moves in the other direction than the one before", func(o outcome) string { return integer(o.Reversals) }},
		{"LOST", "times that a removed pod gave a request back, which then began anew", func(o outcome) string { return integer(o.Lost) }},
	}
	if r.price > 0 {
		all = append(all, figure{"COST", "GPU-hours at the price given", func(o outcome) string { return fmt.Sprintf("%.2f", r.price*o.Billed.Hours()) }})
	}
	return all
}

// overBest is what was billed as a multiple of the best possible; 0 where that is nothing.
func (o outcome) overBest() float64 {
	if o.bound.Relaxed == 0 {
		return 0
	}
	return float64(o.Billed) / float64(o.bound.Relaxed)
}

// best are lines to hold policies against: what somebody spends who knows the demand beforehand.
func best(figures []figure, b simulate.Bound, limit time.Duration) (lines [][]string) {
	for _, one := range []struct {
		name   string
		billed time.Duration
	}{{"best, no wait", b.NoWait}, {"best, " + brief(limit), b.Relaxed}} {
		o := outcome{bound: b}
		o.Offered, o.Billed = b.Offered, one.billed
		line := []string{one.name}
		for _, f := range figures {
			cell := ""
			if slices.Contains([]string{"GPU-H", "RATIO", "/BEST", "COST"}, f.name) {
				cell = f.of(o)
			}
			line = append(line, cell)
		}
		lines = append(lines, line)
	}
	return lines
}

// columns are the figures as a page explains them.
func columns(figures []figure) (all []dashboard.Column) {
	for _, f := range figures {
		all = append(all, dashboard.Column{Name: f.name, About: f.about})
	}
	return all
}

// cells are the figures of one outcome.
func cells(figures []figure, o outcome) (all []string) {
	for _, f := range figures {
		all = append(all, f.of(o))
	}
	return all
}

// brief writes a duration in five characters or six.
func brief(d time.Duration) string {
	switch s := d.Seconds(); {
	case s == 0:
		return "0s"
	case s < 99.95 && s != math.Trunc(s):
		return fmt.Sprintf("%.1fs", s)
	case s < 100:
		return fmt.Sprintf("%.0fs", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", int(s)/60, int(s)%60)
	default:
		return fmt.Sprintf("%dh%02dm", int(s)/3600, int(s)/60%60)
	}
}

// gpuHours writes pods' time: a pod of the model has one GPU.
func gpuHours(d time.Duration) string {
	if d < 10*time.Hour {
		return fmt.Sprintf("%.2f", d.Hours())
	}
	return fmt.Sprintf("%.1f", d.Hours())
}

// percent writes a share. One that is not 0 does not look like 0.
func percent(share float64) string {
	switch {
	case share == 0:
		return "0%"
	case share < 0.0001:
		return "<0.01%"
	default:
		return fmt.Sprintf("%.2f%%", 100*share)
	}
}

// ratio writes a ratio; one that is unknown is no number.
func ratio(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", v)
}

func integer(n int64) string { return fmt.Sprint(n) }

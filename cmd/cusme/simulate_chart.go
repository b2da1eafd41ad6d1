package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/guptarohit/asciigraph"
	"golang.org/x/term"

	"cusme.dev/cusme/internal/dashboard"
)

const (
	chartHeight = 6   // rows
	chartAxis   = 9   // columns at the left, for numbers
	chartWidth  = 110 // columns where the terminal does not say
)

// width is that of the terminal, within reason.
func (r *rehearsal) width() int {
	if f, ok := r.stdout.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil {
			return min(max(columns, 60), 200)
		}
	}
	return chartWidth
}

// charts draw each outcome's pods over time, each to its own height, and how many of them are at work.
func (p *page) charts(outcomes []outcome, width int) {
	columns := width - chartAxis
	var end time.Duration
	for _, o := range outcomes {
		end = max(end, o.Span)
	}
	for _, o := range outcomes {
		moments := o.track.Moments()
		pods := sampled(moments, columns, end, func(m dashboard.Moment) float64 { return float64(m.Ready + m.Starting + m.Leaving) })
		work := sampled(moments, columns, end, func(m dashboard.Moment) float64 { return float64(m.Running) })
		p.line("")
		p.line("%s: pods ─, of them at work ·", p.in(bold, o.Policy))
		p.WriteString(p.plot([][]float64{work, pods}, max(1, slices.Max(pods))) + "\n")
	}
	p.line("%*d%*s", chartAxis, 0, columns, brief(end))
}

func (p *page) plot(series [][]float64, top float64) string {
	dotted := asciigraph.CreateCharSet("·")
	options := []asciigraph.Option{
		asciigraph.Height(chartHeight), asciigraph.LowerBound(0), asciigraph.UpperBound(top), asciigraph.Precision(0),
		asciigraph.SeriesChars(dotted, asciigraph.DefaultCharSet),
		asciigraph.YAxisValueFormatter(func(v float64) string { return fmt.Sprintf("%*.0f", chartAxis-3, v) }),
	}
	if p.colours {
		options = append(options, asciigraph.SeriesColors(asciigraph.Teal, asciigraph.Green))
	}
	return asciigraph.PlotMany(series, options...)
}

// sampled are the highest values in each of so many equal parts of the time; a
// part without a moment has the value before.
func sampled(moments []dashboard.Moment, columns int, end time.Duration, value func(dashboard.Moment) float64) []float64 {
	out := make([]float64, columns)
	i, last := 0, 0.0
	for c := range out {
		until := time.Duration(float64(end) * float64(c+1) / float64(columns))
		out[c] = last
		for first := true; i < len(moments) && moments[i].At <= until; i++ {
			last = value(moments[i])
			if first {
				out[c], first = last, false
			}
			out[c] = max(out[c], last)
		}
	}
	return out
}

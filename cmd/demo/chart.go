package main

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/guptarohit/asciigraph"
)

// axis is the width of a chart's numbers and axis at the left.
const axis = 7

// charts draws the load and the replicas over the day in a number of rows:
// side by side on a wide screen, one above the other on a tall one, and not at
// all where neither fits.
func charts(s snapshot, columns, rows int, colour bool) []string {
	const besides = 3 // a chart's title, its lowest value and its hours
	switch h := rows/2 - besides; {
	case columns >= wide && rows-besides >= 3:
		height := min(rows-besides, 7)
		left := columns / 2
		return beside(loadChart(s, left, height, colour), replicasChart(s, columns-left, height, colour), left)
	case columns >= 40 && h >= 2:
		return append(loadChart(s, columns, min(h, 6), colour), replicasChart(s, columns, min(h, 6), colour)...)
	default:
		return nil
	}
}

func loadChart(s snapshot, columns, height int, colour bool) []string {
	c := newChart(s, columns, height)
	load := c.columnsOf(s, func(x sample) float64 { return x.load })
	c.title = line{{text: "load", ink: red}, {text: fmt.Sprintf(" and its band %.4g..%.4g", s.low, s.high), ink: faint}}
	c.series = [][]float64{flat(s.low, c.width), flat(s.high, c.width), load}
	c.dotted = 2
	c.inks = []asciigraph.AnsiColor{asciigraph.Gray, asciigraph.Gray, asciigraph.Maroon}
	c.precision = 1
	c.upper = even(max(1.2, highest(load)), height, 0.1)
	return c.draw(colour)
}

func replicasChart(s snapshot, columns, height int, colour bool) []string {
	c := newChart(s, columns, height)
	asked := c.columnsOf(s, func(x sample) float64 { return float64(x.asked) })
	c.title = line{{text: "replicas: asked ·", ink: faint}, {text: "  ready ─", ink: green}, {text: "  elastic ─", ink: blue}}
	c.series = [][]float64{
		asked,
		c.columnsOf(s, func(x sample) float64 { return float64(x.elastic) }),
		c.columnsOf(s, func(x sample) float64 { return float64(x.ready) }),
	}
	c.dotted = 1
	c.inks = []asciigraph.AnsiColor{asciigraph.Gray, asciigraph.Teal, asciigraph.Green}
	c.upper = even(highest(asked), height, 1)
	return c.draw(colour)
}

// even raises the upper end of an axis until its rows are multiples of a step, so that no two say the same.
func even(upper float64, rows int, step float64) float64 {
	return max(1, math.Ceil(upper/float64(rows)/step-1e-9)) * step * float64(rows)
}

// beside joins two blocks of text, the left one filled up to a width.
func beside(left, right []string, width int) []string {
	out := make([]string, len(left))
	for i := range left {
		gap := width - utf8.RuneCountInString(sgr.ReplaceAllString(left[i], ""))
		out[i] = strings.TrimRight(left[i]+strings.Repeat(" ", max(0, gap))+right[i], " ")
	}
	return out
}

// sgr matches what colours a terminal's text and takes no room on it.
var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

// A chart shows one whole day.
type chart struct {
	title     line
	day       day
	began     time.Duration // what its first column shows, since the demo's start
	columns   int           // of the whole chart, width are those of its plot
	width     int
	height    int
	series    [][]float64
	dotted    int // so many series from the front are drawn as dots
	inks      []asciigraph.AnsiColor
	upper     float64
	precision uint
}

func newChart(s snapshot, columns, height int) chart {
	return chart{
		day: s.day, began: max(0, s.elapsed-s.day.length),
		columns: columns, width: columns - len(indent) - axis - 1, height: height,
	}
}

// draw returns the title, the plot and the hours below it. Without colours the dots tell the lines apart.
func (c chart) draw(colour bool) []string {
	chars := make([]asciigraph.CharSet, len(c.series))
	for i := range chars {
		chars[i] = asciigraph.DefaultCharSet
		if i < c.dotted {
			chars[i] = asciigraph.CreateCharSet("·")
		}
	}
	options := []asciigraph.Option{
		asciigraph.Height(c.height), asciigraph.LowerBound(0), asciigraph.UpperBound(c.upper),
		asciigraph.Precision(c.precision), asciigraph.SeriesChars(chars...),
		asciigraph.YAxisValueFormatter(func(v float64) string { return fmt.Sprintf("%*.*f", axis-3, int(c.precision), v) }),
	}
	if colour {
		options = append(options, asciigraph.SeriesColors(c.inks...))
	}
	out := []string{append(line{{text: indent}}, c.title...).paint(c.columns, colour)}
	for row := range strings.SplitSeq(asciigraph.PlotMany(c.series, options...), "\n") {
		out = append(out, indent+row)
	}
	return append(out, c.hours().paint(c.columns, colour))
}

// columnsOf spreads the samples of a whole day over the columns of a chart, the
// mean of each column's; columns still to come stay empty.
func (c chart) columnsOf(s snapshot, value func(sample) float64) []float64 {
	sums, n := make([]float64, c.width), make([]int, c.width)
	perColumn := float64(c.day.length) / float64(c.width)
	for _, x := range s.history {
		i := int(float64(x.at-c.began) / perColumn)
		if i < 0 || i >= c.width {
			continue
		}
		sums[i] += value(x)
		n[i]++
	}
	for i := range sums {
		switch {
		case n[i] > 0:
			sums[i] /= float64(n[i])
		case i > 0 && c.began+time.Duration(float64(i)*perColumn) < s.elapsed:
			sums[i] = sums[i-1] // more columns than samples: the last value still holds
		default:
			sums[i] = math.NaN()
		}
	}
	return sums
}

func flat(value float64, width int) []float64 {
	out := make([]float64, width)
	for i := range out {
		out[i] = value
	}
	return out
}

func highest(values []float64) float64 {
	most := 0.0
	for _, v := range values {
		if v > most { // false for the empty columns' NaN
			most = v
		}
	}
	return most
}

// hours is the axis below: a time of the day about every 12 columns.
func (c chart) hours() line {
	row := strings.Repeat(" ", len(indent)+axis)
	for at := 0; at+5 <= c.width; at += 12 {
		row = pad(row, len(indent)+axis+at)
		row += c.day.clock(c.began + time.Duration(float64(at)/float64(c.width)*float64(c.day.length)))
	}
	return line{{text: row, ink: faint}}
}

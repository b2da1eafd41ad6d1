package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

const (
	scatterHeight = 13 // rows: the wish is on the tenth
	scatterAxis   = 8  // columns at the left, for numbers
)

// A scatter is a chart of points, the cell of each chosen by two numbers.
type scatter struct {
	left, right float64 // GPU-hours
	top         float64 // share over the wait
	cells       [][]rune
}

// points draws all settings that were tried: GPU-hours to the right, requests
// that waited too long upwards, those beyond the top in its row.
func (p *page) points(task task, f found, width int) {
	s := newScatter(f, task.wish, width-scatterAxis)
	s.wish(task.wish)
	for i := range f.tried {
		s.put(f, i, '·')
	}
	for _, i := range f.front {
		s.put(f, i, 'o')
	}
	s.put(f, 0, '=')
	s.put(f, f.best().setting, '>')
	p.line("Requests that waited longer than %s, by GPU-hours of the first %s: o the best of their cost, · others, - the wish", brief(task.wish.Wait), days(task.split()))
	for row, cells := range s.cells {
		share := s.top * (1 - float64(row)/float64(len(s.cells)-1))
		p.line("%*s ┤%s", scatterAxis-2, fmt.Sprintf("%.1f%%", 100*share), string(cells))
	}
	from, to := hoursOf(s.left), hoursOf(s.right)
	p.line("%s%s%*s", strings.Repeat(" ", scatterAxis), from, len(s.cells[0])-len(from), to)
}

func hoursOf(hours float64) string { return gpuHours(time.Duration(hours * float64(time.Hour))) }

// newScatter has room for the front, the present and the recommended setting.
func newScatter(f found, wish scaling.Objective, columns int) *scatter {
	shown := append(slices.Clone(f.front), 0, f.best().setting)
	s := &scatter{top: 4 * (1 - wish.Percentile/100)}
	for n, i := range shown {
		hours := f.first[i].Billed.Hours()
		if n == 0 {
			s.left, s.right = hours, hours
		}
		s.left, s.right = min(s.left, hours), max(s.right, hours)
	}
	margin := max(0.01, (s.right-s.left)/10)
	s.left, s.right = max(0, s.left-margin), s.right+margin
	for range scatterHeight {
		s.cells = append(s.cells, slices.Repeat([]rune{' '}, columns))
	}
	return s
}

// row is where a share is drawn.
func (s *scatter) row(share float64) int {
	last := float64(len(s.cells) - 1)
	return int(last*(1-min(1, share/s.top)) + 0.5)
}

func (s *scatter) wish(wish scaling.Objective) {
	row := s.cells[s.row(1-wish.Percentile/100)]
	for i := range row {
		row[i] = '-'
	}
}

// put draws a setting, unless it is beyond the sides.
func (s *scatter) put(f found, setting int, as rune) {
	score := f.first[setting]
	across := (score.Billed.Hours() - s.left) / (s.right - s.left)
	if across < 0 || across > 1 {
		return
	}
	row := s.cells[s.row(score.Over)]
	row[int(across*float64(len(row)-1)+0.5)] = as
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"cusme.dev/cusme/internal/simulate"
)

func (r *rehearsal) print(p plan, outcomes []outcome) error {
	if r.output == "json" {
		e := json.NewEncoder(r.stdout)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(r.summary(p, outcomes))
	}
	page := &page{colours: colourful(r.stdout, r.getenv)}
	for i, t := range p.traces {
		page.demand(t, outcomes[i*len(p.entries)])
		page.comparison(r.figures(p.limit()), outcomesOf(outcomes, i, len(p.entries)), p.limit())
		if r.chart {
			page.charts(outcomesOf(outcomes, i, len(p.entries)), r.width())
		}
		page.line("")
	}
	if len(p.traces) > 1 {
		page.overall(p, outcomes)
	}
	for _, note := range p.notes {
		page.line("%s", note)
	}
	_, err := io.WriteString(r.stdout, page.String())
	return err
}

// limit is the wait that is too long in the first entry's world.
func (p plan) limit() time.Duration { return p.entries[0].world.Limit }

// outcomesOf are those of one trace.
func outcomesOf(all []outcome, trace, entries int) []outcome {
	return all[trace*entries : (trace+1)*entries]
}

func (p *page) demand(t simulate.Trace, o outcome) {
	p.line("%s: %d requests in %s, %s GPU-hours of work", p.in(bold, t.Name), o.Requests, days(t.Span), gpuHours(o.Offered))
}

// days writes how long a trace is.
func days(d time.Duration) string {
	if d < 48*time.Hour {
		return brief(d)
	}
	return fmt.Sprintf("%.1f days", d.Hours()/24)
}

// comparison is a table with a line for each outcome.
func (p *page) comparison(figures []figure, outcomes []outcome, limit time.Duration) {
	table := [][]string{{"POLICY"}}
	for _, f := range figures {
		table[0] = append(table[0], f.name)
	}
	for _, o := range outcomes {
		table = append(table, append([]string{o.Policy}, cells(figures, o)...))
	}
	p.table(append(table, best(figures, outcomes[0].bound, limit)...))
}

// table aligns cells: the first column to the left, all others to the right. Its first line is the header.
func (p *page) table(rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for i, row := range rows {
		var line strings.Builder
		for j, cell := range row {
			padding := strings.Repeat(" ", widths[j]-utf8.RuneCountInString(cell))
			if j == 0 {
				line.WriteString(cell + padding)
			} else {
				line.WriteString("  " + padding + cell)
			}
		}
		if i == 0 {
			p.line("%s", p.in(bold, strings.TrimRight(line.String(), " ")))
			continue
		}
		p.line("%s", line.String())
	}
}

// overall sums up several traces: ratios by their geometric mean, so that none of them counts more than another.
func (p *page) overall(of plan, outcomes []outcome) {
	p.line("%s", p.in(bold, fmt.Sprintf("all %d traces", len(of.traces))))
	table := [][]string{{"POLICY", "RATIO (GEOMETRIC MEAN)", ">" + brief(of.limit()) + " (MEAN)", "GPU-H", "STARTED", "YOUNG", "LOST"}}
	for i, e := range of.entries {
		var s sums
		for j := range of.traces {
			s.add(outcomes[j*len(of.entries)+i])
		}
		table = append(table, []string{e.Name, ratio(s.ratio()), percent(s.over / float64(s.n)), gpuHours(s.billed), integer(s.started), integer(s.young), integer(s.lost)})
	}
	p.table(table)
	p.line("")
}

// sums are those of one policy over traces.
type sums struct {
	n                    int
	logs, over           float64
	billed               time.Duration
	started, young, lost int64
}

func (s *sums) add(o outcome) {
	s.n++
	s.logs += math.Log(o.Ratio())
	s.over += o.Waits.Over
	s.billed += o.Billed
	s.started, s.young, s.lost = s.started+o.Started, s.young+o.Young, s.lost+o.Lost
}

// ratio is the geometric mean.
func (s *sums) ratio() float64 { return math.Exp(s.logs / float64(s.n)) }

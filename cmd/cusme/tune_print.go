package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"cusme.dev/cusme/internal/simulate"
)

// tell writes what was found.
func (t *tuner) tell(task task, f found) error {
	manifest, err := task.manifest(f)
	if err != nil {
		return err
	}
	switch t.output {
	case "json":
		e := json.NewEncoder(t.stdout)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(t.findings(task, f, manifest))
	case "yaml":
		_, err = io.WriteString(t.stdout, manifest)
		return err
	}
	page := &page{colours: colourful(t.stdout, t.getenv)}
	page.line("%s: %s of history; searched on the first %s, the last %s held out", page.in(bold, task.trace.Name), days(task.trace.Span), days(task.split()), days(task.trace.Span-task.split()))
	page.line("The wish: %s. Settings tried: %d.", task.wish, len(f.tried))
	page.line("")
	page.standings(task, f)
	page.line("")
	page.points(task, f, t.width())
	page.line("")
	page.recommendation(t, task, f)
	page.line("")
	page.WriteString(manifest)
	_, err = io.WriteString(t.stdout, page.String())
	return err
}

// mark tells the recommended setting, the present one, and all others apart.
func (f found) mark(setting int) string {
	switch setting {
	case f.best().setting:
		return "> "
	case 0:
		return "= "
	}
	return "  "
}

// standings is the table of the front, the recommended and the present setting, and what nobody can do better than.
func (p *page) standings(task task, f found) {
	over := ">" + brief(task.wish.Wait)
	tail := fmt.Sprintf("P%v", task.wish.Percentile)
	table := [][]string{{"  SETTING", tail, over, "GPU-H", "RATIO", "| LAST: " + tail, over, "GPU-H", "RATIO"}}
	for _, o := range f.finals {
		if o.setting != 0 && o.setting != f.best().setting && !slices.Contains(f.front, o.setting) {
			continue
		}
		row := append([]string{f.mark(o.setting) + f.tried[o.setting].String()}, figuresOf(f.first[o.setting])...)
		table = append(table, append(row, figuresOf(o.last)...))
	}
	row := []string{"  who knew it all beforehand"}
	for _, b := range f.bounds {
		row = append(row, "≤"+brief(task.wish.Wait), "0%", gpuHours(b.Relaxed), ratio(b.Ratio(b.Relaxed)))
	}
	p.table(append(table, row))
	p.line("> is recommended, = is the present setting. On the left the part searched, on the right the part held out, in %d worlds.", worlds)
}

// figuresOf are a score's cells.
func figuresOf(s simulate.Score) []string {
	return []string{brief(s.Wait), percent(s.Over), gpuHours(s.Billed), ratio(s.Ratio())}
}

// recommendation says what to take, and how sure that is.
func (p *page) recommendation(t *tuner, task task, f found) {
	best := f.best()
	name := f.tried[best.setting].String()
	switch {
	case !f.choice.Meets:
		p.line("%s No setting meets the wish on both parts. The nearest: %s.", p.in(red, "Not met."), name)
	case best.setting == 0:
		p.line("%s The present setting: nothing that was tried meets the wish on both parts for less.", p.in(green, "Recommended."))
	default:
		p.line("%s %s: %s", p.in(green, "Recommended."), name, difference(f.first[best.setting], f.first[0]))
	}
	if f.choice.PassedOver > 0 {
		p.line("Cheaper ones that met it on the first part and missed it on the last: %d.", f.choice.PassedOver)
	}
	s := task.sure(f)
	p.line("How sure: %s%s.", p.in(bold, s.Level), because(s.Because))
	p.line("  Held out: %s of requests waited longer than %s; the wish was met in %d of %d worlds.", percent(best.last.Over), brief(task.wish.Wait), best.met, worlds)
	p.line("  Histories made up of its %d parts of %s, 90 of 100 of them:", len(best.worlds[0]), days(task.block))
	p.spread("recommended", task, f.spreads.best)
	if best.setting != 0 {
		p.spread("present", task, f.spreads.present)
	}
	for _, note := range t.assumptions(task, f) {
		p.line("  %s", note)
	}
}

func because(why []string) string {
	if len(why) == 0 {
		return ""
	}
	return ": " + strings.Join(why, "; ")
}

func (p *page) spread(name string, task task, s simulate.Spread) {
	p.line("    %-12s p%v %s to %s, %s to %s over %s, ratio %s to %s", name, task.wish.Percentile, brief(s.Wait.Low), brief(s.Wait.High),
		percent(s.Over.Low), percent(s.Over.High), brief(task.wish.Wait), ratio(s.Ratio.Low), ratio(s.Ratio.High))
}

// difference says what a setting changes against the present one, on the first part.
func difference(best, present simulate.Score) string {
	costs := "as many GPU-hours"
	switch change := 100 * (best.Billed.Hours()/present.Billed.Hours() - 1); {
	case change <= -0.5:
		costs = fmt.Sprintf("%.0f%% fewer GPU-hours", -change)
	case change >= 0.5:
		costs = fmt.Sprintf("%.0f%% more GPU-hours", change)
	}
	return fmt.Sprintf("%s than now, and %s of requests wait too long where it is %s", costs, percent(best.Over), percent(present.Over))
}

// assumptions are what all figures rest on.
func (t *tuner) assumptions(task task, f found) []string {
	w := f.tried[0].world
	all := slices.Clone(task.notes)
	if task.sketch {
		all = append(all, "The LoadScaler is one of defaults: -f takes yours.")
	}
	return append(all, fmt.Sprintf("%s; seed %d.", aboutPods(w), w.Seed))
}

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"cusme.dev/cusme/internal/dashboard"
)

// A reportFile is the page to be: it gets its name once it is whole. It is
// opened before anything is replayed, so that a path that cannot be written is
// no news after minutes.
type reportFile struct {
	path string
	*os.File
}

// newReportFile opens the page of a path; without one nothing is ever written.
func newReportFile(path string) (*reportFile, error) {
	if path == "" {
		return &reportFile{}, nil
	}
	if at, err := os.Stat(path); err == nil && at.IsDir() {
		return nil, fmt.Errorf("--report: expected a file such as %s, got a directory", filepath.Join(path, "out.html"))
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".cusme-*.html")
	if err != nil {
		return nil, fmt.Errorf("--report: %w", err)
	}
	return &reportFile{path, file}, nil
}

// discard removes what has not got its name.
func (f *reportFile) discard() {
	if f.File != nil {
		_ = f.Close()           // nothing of it is wanted
		_ = os.Remove(f.Name()) // it is gone if it has been renamed
	}
}

func (f *reportFile) write(r dashboard.Report) error {
	if f.File == nil {
		return nil
	}
	const readable = 0o644 // as any other page; CreateTemp keeps it to oneself
	err := errors.Join(r.Write(f.File), f.Chmod(readable), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	return nil
}

// reportOf is the page of all outcomes.
func (r *rehearsal) reportOf(p plan, outcomes []outcome) dashboard.Report {
	figures := r.figures(p.limit())
	report := dashboard.Report{Title: "cusme simulate", Notes: p.notes, Columns: columns(figures)}
	for i, t := range p.traces {
		d := dashboard.Demand{Name: t.Name, Begin: t.Begin, Limit: p.limit()}
		for j, o := range outcomesOf(outcomes, i, len(p.entries)) {
			run := dashboard.Run{Policy: o.Policy, Figures: cells(figures, o), Track: o.track}
			run.Low, run.High = p.entries[j].low, p.entries[j].high
			d.Runs = append(d.Runs, run)
		}
		for _, line := range best(figures, outcomes[i*len(p.entries)].bound, p.limit()) {
			d.Best = append(d.Best, dashboard.Line{Name: line[0], Figures: line[1:]})
		}
		report.Demands = append(report.Demands, d)
	}
	return report
}

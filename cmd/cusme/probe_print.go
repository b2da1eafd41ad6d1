package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// mostExchanges is how many requests of one load are written out; a load of pods
// has one for each.
const mostExchanges = 3

func (p *prober) print(reports []report) error {
	if p.output == "json" {
		e := json.NewEncoder(p.stdout)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(reports)
	}
	page := &page{colours: colourful(p.stdout, p.getenv)}
	for i, r := range reports {
		if i > 0 {
			page.line("")
		}
		page.report(r)
	}
	_, err := io.WriteString(p.stdout, page.String())
	return err
}

// A page is text for a person.
type page struct {
	strings.Builder
	colours bool
}

func (p *page) line(format string, args ...any) {
	p.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

// Colours, as ANSI terminals count them.
const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (p *page) in(colour, text string) string {
	if !p.colours {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (p *page) report(r report) {
	p.line("LoadScaler %s", p.in(bold, r.LoadScaler))
	for _, l := range r.Loads {
		p.line("")
		p.load(l)
	}
	p.line("")
	if r.Decision == nil {
		p.line("no decision: %s", r.NoDecision)
		return
	}
	p.decision(*r.Decision)
}

func (p *page) load(l loadReport) {
	p.line("%s (%s)", p.in(bold, l.Name), l.Source)
	for i, e := range l.Exchanges {
		if i == mostExchanges {
			p.line("  and %d more requests", len(l.Exchanges)-mostExchanges)
			break
		}
		p.exchange(e)
	}
	if l.Source != "push" {
		p.verdict(l)
	}
	for _, note := range l.Notes {
		p.line("  %s", note)
	}
}

func (p *page) exchange(e exchangeReport) {
	p.line("  %s %s", e.Method, e.URL)
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		p.line("    %s: %s", name, e.Headers[name])
	}
	if e.Status == "" {
		p.line("  no answer")
		return
	}
	answer := e.Status
	if e.ContentType != "" {
		answer += ", " + e.ContentType
	}
	p.line("  %s, %d bytes", answer, e.Size)
	if e.Excerpt != "" {
		p.line("    %s", e.Excerpt)
	}
}

func (p *page) verdict(l loadReport) {
	colour := map[scaling.State]string{scaling.Fresh: green, scaling.Failed: red, scaling.Invalid: red}[l.State]
	if colour == "" {
		colour = yellow
	}
	state := p.in(colour, string(l.State))
	if l.Value != nil {
		state += fmt.Sprintf(": %v, %s old", *l.Value, time.Duration(*l.AgeSeconds*float64(time.Second)).Round(time.Second))
	}
	if l.Message != "" {
		state += ": " + l.Message
	}
	p.line("  %s", state)
	if l.Partial != "" {
		p.line("  partial: %s", l.Partial)
	}
}

func (p *page) decision(d decisionReport) {
	p.line("%s: %d -> %d, with %d of %d ready; the loads ask for %d", p.in(bold, "decision"), d.Replicas, d.Decided, d.Ready, d.Replicas, d.Demand)
	for _, r := range d.Reasons {
		p.line("  %-9s %d -> %d  %s", r.Step, r.From, r.To, r.Why)
	}
}

// Package dashboard shows what was decided: a page of one file that needs no
// network, with a table of figures and charts on one axis of time. Under the
// cursor it shows what each policy saw, did, and gave as its reasons.
package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"time"
)

// A Report compares policies on one or several demands.
type Report struct {
	Title string
	// Notes say what the figures rest on, a sentence each.
	Notes []string
	// Columns are those of every demand's table, after the policy's name.
	Columns []Column
	Demands []Demand
}

// A Column is one figure of all policies.
type Column struct {
	Name string
	// About explains it in a few words.
	About string
}

// A Demand is what was replayed, under each policy.
type Demand struct {
	Name string
	// Begin is the moment of its beginning by the calendar; zero where it has none.
	Begin time.Time
	// Limit is the wait beyond which a request waited too long.
	Limit time.Duration
	Runs  []Run
	// Best are lines to hold the runs against, such as what is possible at all.
	Best []Line
}

// A Line is one of a table, with as many figures as the report has columns.
type Line struct {
	Name    string
	Figures []string
}

// A Run is what one policy made of a demand.
type Run struct {
	Policy string
	// Figures are as many as the report has columns.
	Figures []string
	// Low and High are the band that it follows; both 0 where it has none.
	Low, High float64
	Track     *Track
}

// assets are the parts of a page. uplot.* come from npm, see package.json.
//
//go:embed assets/page.html assets/page.css assets/page.js assets/chart.js assets/uplot.min.js assets/uplot.min.css
var assets embed.FS

var page = template.Must(template.New("page.html").ParseFS(assets, "assets/page.html"))

// Write writes the page. Nothing in it is loaded from elsewhere, and a policy
// for its own content forbids that.
func (r Report) Write(w io.Writer) error {
	data, err := r.pack()
	if err != nil {
		return fmt.Errorf("pack the report's data: %w", err)
	}
	script := text("uplot.min.js") + text("chart.js") + text("page.js")
	style := text("uplot.min.css") + text("page.css")
	return page.Execute(w, map[string]any{
		"Report": r, "Data": template.HTML(data), // base64, which needs no escape
		"Script": template.JS(script), "ScriptHash": digest(script), "Style": template.CSS(style),
	})
}

func text(asset string) string {
	content, err := assets.ReadFile("assets/" + asset)
	if err != nil {
		panic(err) // it is embedded: the build would have failed
	}
	return string(content)
}

// digest is how a content security policy names a script.
func digest(script string) template.HTMLAttr {
	sum := sha256.Sum256([]byte(script))
	return template.HTMLAttr("'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'")
}

// pack returns the data of all tracks as the page's script reads it: JSON, compressed to about a fifth, in base64.
func (r Report) pack() (string, error) {
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // fails on no level that exists
	if err := json.NewEncoder(z).Encode(r.columns()); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(packed.Bytes()), nil
}

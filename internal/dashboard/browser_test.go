package dashboard

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"cusme.dev/cusme/internal/scaling"
)

// browser starts Chromium without a window, and fails the test on anything that a page complains of.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		const missing = "no chromium to look at pages with: apt-get install chromium"
		if os.Getenv("CUSME_CI") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1400, 1000))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	complain := func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("the page threw: %+v", e.ExceptionDetails)
		case *runtime.EventConsoleAPICalled:
			t.Errorf("the page said on its console: %s %+v", e.Type, e.Args)
		case *log.EventEntryAdded:
			t.Errorf("the browser said of the page: %+v", e.Entry)
		}
	}
	if err := chromedp.Listen(ctx, complain); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// shown is a report of two demands under two policies, one of which gives reasons.
func shown() Report {
	report := Report{Title: "a <b>report</b>", Notes: []string{"A note & more."}, Columns: []Column{{"P95", "95 of 100 waited no longer"}}}
	for _, name := range []string{"day", "night"} {
		d := Demand{Name: name, Limit: 30 * time.Second}
		for _, policy := range []string{"</script>webui", "HPA 0.65"} {
			d.Runs = append(d.Runs, Run{Policy: policy, Figures: []string{"12s"}, Low: 0.5, High: 0.8, Track: hours(policy != "HPA 0.65")})
		}
		d.Runs[0].Track.Hidden = 7
		report.Demands = append(report.Demands, d)
	}
	return report
}

// hours is a track of six hours with some ups and downs; with reasons if they are wanted.
func hours(reasons bool) *Track {
	track := NewTrack(1)
	pods := int32(3)
	for i := range 6 * 240 {
		m := Moment{At: time.Duration(i) * 15 * time.Second, Load: 0.65 + 0.4*math.Sin(float64(i)/60), From: pods, Ready: pods, Running: int(pods) / 2}
		m.To = 5 + int32(4*math.Sin(float64(i)/60))
		m.Unread = i > 300 && i < 330
		m.Starting = max(0, m.To-pods)
		m.Queued, m.Waiting = max(0, int(m.To)-6), time.Duration(max(0, int(m.To)-6))*20*time.Second
		m.Billed = time.Duration(i) * 60 * time.Second
		if reasons {
			m.Reasons = []scaling.Reason{{Step: scaling.Demand, From: pods, To: m.To, Why: fmt.Sprintf("reason %d, of a load & its <band>", i)}}
		}
		pods = m.To
		track.Add(m)
	}
	return track
}

// open writes a report and opens it as a file, as people do.
func open(t *testing.T, ctx context.Context, r Report) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Write(file); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.Navigate("file://"+path), chromedp.WaitReady(chromedp.CSS("html[data-ready] canvas")))
}

// do carries out steps.
func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// get returns what an action finds.
func get[T any](t *testing.T, ctx context.Context, a chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const ledger = chromedp.CSS("#ledger")

func TestThePageInABrowser(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	open(t, ctx, shown())
	says(t, "title", get(t, ctx, chromedp.Title()), "a <b>report</b>")
	says(t, "table", get(t, ctx, chromedp.Text(chromedp.CSS("table"))), "</script>webui", "HPA 0.65", "12s")
	headings := get(t, ctx, chromedp.Evaluate[string](`[...document.querySelectorAll("h3")].map((h) => h.textContent).join("\n")`))
	says(t, "charts", headings, "Pods of </script>webui", "Pods of HPA 0.65", "Wait of the oldest request", "band 0.5 to 0.8", "7 of the smallest moves are not shown")
	if n := strings.Count(headings, "not shown"); n != 1 {
		t.Errorf("expected that moves are left out to be said of one policy, got %d times", n)
	}

	box := get(t, ctx, chromedp.Evaluate[[]float64](`(() => { const b = document.querySelector(".u-over").getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()`))
	do(t, ctx, chromedp.MouseEvent("mouseMoved", box[0], box[1]))
	says(t, "ledger", get(t, ctx, chromedp.Text(ledger)), "</script>webui", "HPA 0.65", "demand", "of a load & its <band>", "ready")

	do(t, ctx, chromedp.KeyEvent("+"))
	if zoomed := get(t, ctx, chromedp.Evaluate[[]float64](`page.panels.range`)); len(zoomed) != 2 || zoomed[1]-zoomed[0] > 3.1*3600 {
		t.Errorf("expected + to show half of six hours, got %v", zoomed)
	}
	apart := `Math.max(...page.panels.charts.map(({ chart }) => Math.abs(chart.posToVal(chart.cursor.left, "x") - page.panels.at)))`
	if got := get(t, ctx, chromedp.Evaluate[float64](apart)); got > 30 {
		t.Errorf("expected the cursor on its moment after zooming, got it %v s away", got)
	}
	do(t, ctx, chromedp.KeyEvent("0"))
	if all := get(t, ctx, chromedp.Evaluate[[]float64](`page.panels.range || []`)); len(all) != 0 {
		t.Errorf("expected 0 to show all, got %v", all)
	}
}

func TestDraggingZooms(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	open(t, ctx, shown())
	box := get(t, ctx, chromedp.Evaluate[[]float64](`(() => { const b = document.querySelector(".u-over").getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })()`))
	at := func(x float64) (float64, float64) { return box[0] + x*box[2], box[1] + box[3]/2 }
	fromX, y := at(0.25)
	toX, _ := at(0.5)
	do(t, ctx, chromedp.DragAndDropXY(fromX, y, toX, y))
	got := get(t, ctx, chromedp.Evaluate[[]float64](`page.panels.range || []`))
	if len(got) != 2 || math.Abs(got[0]-1.5*3600) > 120 || math.Abs(got[1]-3*3600) > 120 {
		t.Errorf("expected 1.5 h to 3 h in view, got %v s", got)
	}
	ranges := get(t, ctx, chromedp.Evaluate[[]float64](`page.panels.charts.map((c) => c.chart.scales.x.min)`))
	for _, from := range ranges {
		if math.Abs(from-got[0]) > 1 {
			t.Errorf("expected every chart to begin at %v, got %v", got[0], ranges)
		}
	}
}

func TestKeysWalkThroughDecisions(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	open(t, ctx, shown())
	do(t, ctx, chromedp.KeyEvent(kb.ArrowRight))
	says(t, "first decision", get(t, ctx, chromedp.Text(ledger)), "reason 0,")
	do(t, ctx, chromedp.KeyEvent(kb.ArrowRight))
	says(t, "second decision", get(t, ctx, chromedp.Text(ledger)), "reason 1,")

	do(t, ctx, chromedp.KeyEvent("+"))
	says(t, "decision after zooming", get(t, ctx, chromedp.Text(ledger)), "reason 1,")
	do(t, ctx, chromedp.KeyEvent(kb.ArrowRight, chromedp.KeyModifiers(kb.ModifierShift)))
	says(t, "next move", get(t, ctx, chromedp.Text(chromedp.CSS("#ledger article b"))), "→")
}

func TestDemandsPoliciesAndThemes(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	open(t, ctx, shown())
	charts := chromedp.Evaluate[int](`document.querySelectorAll(".uplot").length`)
	do(t, ctx, chromedp.Click(chromedp.CSS("#demands button:nth-child(2)")))
	visible := get(t, ctx, chromedp.Evaluate[string](`[...document.querySelectorAll(".demand")].filter((s) => s.offsetHeight > 0).map((s) => s.querySelector("h2").textContent).join()`))
	before := get(t, ctx, charts)
	do(t, ctx, chromedp.Click(chromedp.CSS(".demand:not([style*='none']) tbody tr:nth-child(2) input")))
	if after := get(t, ctx, charts); visible != "night" || after != before-1 {
		t.Errorf("expected night in view, and one chart less; got %s, %d after %d", visible, after, before)
	}
	paper := chromedp.Evaluate[string](`getComputedStyle(document.body).backgroundColor`)
	light := get(t, ctx, paper)
	do(t, ctx, chromedp.KeyEvent("t"), chromedp.KeyEvent("s"))
	if dark := get(t, ctx, paper); dark == light {
		t.Errorf("expected another paper after t, got %s", dark)
	}
}

// TestALongReportIsSmall holds a page of a fortnight under three policies to about 3 MB.
func TestALongReportIsSmall(t *testing.T) {
	r := Report{Demands: []Demand{{Name: "fortnight"}}}
	for i := range 3 {
		track := NewTrack(3)
		for j := range 14 * 24 * 240 {
			v := math.Abs(math.Sin(float64(j)*float64(i+1)/97)) * float64(j%13)
			why := fmt.Sprintf("load %.3f on %d ready pods is above 0.8: %d would bring it to %.3f, but the pace allows %d for now", v, j%40, j%50, v/3, j%45)
			track.Add(Moment{At: time.Duration(j) * 15 * time.Second, Load: v, From: int32(j / 31 % 40), To: int32((j + 1) / 31 % 40), Ready: int32(j % 40), Queued: int(v),
				Reasons: []scaling.Reason{{Step: scaling.Demand, Why: why}, {Step: scaling.Pace, Why: why}}})
		}
		r.Demands[0].Runs = append(r.Demands[0].Runs, Run{Policy: fmt.Sprint(i), Track: track})
	}
	var size written
	if err := r.Write(&size); err != nil {
		t.Fatal(err)
	}
	if size > 3<<20 {
		t.Errorf("expected at most 3 MB, got %d bytes", size)
	}
	t.Logf("%d bytes", size)
}

// written counts bytes.
type written int

func (w *written) Write(p []byte) (int, error) {
	*w += written(len(p))
	return len(p), nil
}

func says(t *testing.T, what, text string, wanted ...string) {
	t.Helper()
	for _, w := range wanted {
		if !strings.Contains(text, w) {
			t.Errorf("%s: expected %q in %q", what, w, text)
		}
	}
}

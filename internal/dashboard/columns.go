package dashboard

import (
	"math"
	"slices"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// The data of a page, column by column: numbers of one kind next to each other
// compress best. Times are seconds.
type (
	demandColumns struct {
		Name  string       `json:"name"`
		Begin int64        `json:"begin"` // Unix; 0 without a calendar
		Limit float64      `json:"limit"`
		Runs  []runColumns `json:"runs"`
	}
	runColumns struct {
		Policy string      `json:"policy"`
		Band   *[2]float64 `json:"band,omitempty"`
		Hidden int         `json:"hidden"`
		// Steps are the times between moments.
		Steps    []float64  `json:"steps"`
		Load     []*float64 `json:"load"` // null where it could not be read
		From     []int32    `json:"from"`
		To       []int32    `json:"to"`
		Ready    []int32    `json:"ready"`
		Starting []int32    `json:"starting"`
		Leaving  []int32    `json:"leaving"`
		Queued   []int      `json:"queued"`
		Running  []int      `json:"running"`
		Waiting  []float64  `json:"waiting"`
		Hours    []float64  `json:"hours"`
		// Reasons are null where they are those of the moment before.
		Reasons [][]reasonCells `json:"reasons"`
	}
	// reasonCells are step, from, to and the sentence.
	reasonCells [4]any
)

func (r Report) columns() []demandColumns {
	var all []demandColumns
	for _, d := range r.Demands {
		c := demandColumns{Name: d.Name, Limit: d.Limit.Seconds()}
		if !d.Begin.IsZero() {
			c.Begin = d.Begin.Unix()
		}
		for _, run := range d.Runs {
			c.Runs = append(c.Runs, run.columns())
		}
		all = append(all, c)
	}
	return all
}

func (r Run) columns() runColumns {
	moments := r.Track.Moments()
	c := runColumns{Policy: r.Policy, Hidden: r.Track.Hidden}
	if r.High > 0 {
		c.Band = &[2]float64{r.Low, r.High}
	}
	var before Moment
	for _, m := range moments {
		c.Steps = append(c.Steps, seconds(m.At-before.At))
		c.Load = append(c.Load, loadOf(m))
		c.From, c.To = append(c.From, m.From), append(c.To, m.To)
		c.Ready, c.Starting, c.Leaving = append(c.Ready, m.Ready), append(c.Starting, m.Starting), append(c.Leaving, m.Leaving)
		c.Queued, c.Running = append(c.Queued, m.Queued), append(c.Running, m.Running)
		c.Waiting = append(c.Waiting, seconds(m.Waiting))
		c.Hours = append(c.Hours, digits(m.Billed.Hours(), 1000))
		c.Reasons = append(c.Reasons, cellsOf(m.Reasons, before.Reasons))
		before = m
	}
	return c
}

// seconds are exact to a tenth, which is less than a pixel.
func seconds(d time.Duration) float64 { return digits(d.Seconds(), 10) }

func digits(v, parts float64) float64 { return math.Round(v*parts) / parts }

// loadOf is the load to show: none where it could not be read or is no number.
func loadOf(m Moment) *float64 {
	if m.Unread || math.IsNaN(m.Load) || math.IsInf(m.Load, 0) {
		return nil
	}
	v := digits(m.Load, 1000)
	return &v
}

func cellsOf(reasons, before []scaling.Reason) []reasonCells {
	if len(before) > 0 && slices.Equal(reasons, before) {
		return nil
	}
	cells := []reasonCells{}
	for _, r := range reasons {
		cells = append(cells, reasonCells{r.Step, r.From, r.To, r.Why})
	}
	return cells
}

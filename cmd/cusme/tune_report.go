package main

import (
	"slices"

	"cusme.dev/cusme/internal/simulate"
)

// A tuneReport is the JSON of cusme tune, an interface for scripts, which
// docs/tune.schema.json describes. Times are seconds, shares 0 to 1.
type tuneReport struct {
	Trace string `json:"trace"`
	Wish  struct {
		Wait       float64 `json:"waitSeconds"`
		Percentile float64 `json:"percentile"`
	} `json:"wish"`
	SearchedSeconds float64 `json:"searchedSeconds"`
	HeldOutSeconds  float64 `json:"heldOutSeconds"`
	// Met says that a setting meets the wish on both parts. Otherwise the recommended one is the nearest to it.
	Met bool `json:"met"`
	// PassedOver counts cheaper settings that met it on the first part only.
	PassedOver  int           `json:"passedOver"`
	Sure        sureness      `json:"sure"`
	Recommended finalReport   `json:"recommended"`
	Present     finalReport   `json:"present"`
	Bounds      []boundReport `json:"bounds"`
	// Settings are all that were tried, the present one first.
	Settings []settingReport `json:"settings"`
	Manifest string          `json:"manifest"`
	Notes    []string        `json:"notes"`
}

type settingReport struct {
	Setting  string      `json:"setting"`
	Front    bool        `json:"front"`
	Searched scoreReport `json:"searched"`
	// HeldOut is there of those that were looked at again.
	HeldOut *scoreReport `json:"heldOut,omitempty"`
}

type scoreReport struct {
	Wait     float64 `json:"waitSeconds"`
	Over     float64 `json:"overWait"`
	GPUHours float64 `json:"gpuHours"`
	Ratio    float64 `json:"ratio"`
}

// A boundReport is what a part costs somebody who knows it beforehand, without a wait that is too long.
type boundReport struct {
	GPUHours float64 `json:"gpuHours"`
	Ratio    float64 `json:"ratio"`
}

type finalReport struct {
	Setting string `json:"setting"`
	// MetInWorlds of Worlds have the wish met on the held-out part.
	MetInWorlds int `json:"metInWorlds"`
	Worlds      int `json:"worlds"`
	// Blocks are how many parts the ranges are made up from, of BlockSeconds each; they hold 90 of 100 draws.
	Blocks       int        `json:"blocks"`
	BlockSeconds float64    `json:"blockSeconds"`
	Wait         [2]float64 `json:"waitSeconds"`
	Over         [2]float64 `json:"overWait"`
	Ratio        [2]float64 `json:"ratio"`
}

// findings is the report of what was found.
func (t *tuner) findings(task task, f found, manifest string) tuneReport {
	r := tuneReport{
		Trace: task.trace.Name, SearchedSeconds: task.split().Seconds(), HeldOutSeconds: (task.trace.Span - task.split()).Seconds(),
		Met: f.choice.Meets, PassedOver: f.choice.PassedOver, Sure: task.sure(f),
		Recommended: task.final(f, f.best(), f.spreads.best), Present: task.final(f, f.present(), f.spreads.present),
		Manifest: manifest, Notes: t.assumptions(task, f),
	}
	r.Wish.Wait, r.Wish.Percentile = task.wish.Wait.Seconds(), task.wish.Percentile
	for _, b := range f.bounds {
		r.Bounds = append(r.Bounds, boundReport{b.Relaxed.Hours(), b.Ratio(b.Relaxed)})
	}
	for i, s := range f.tried {
		r.Settings = append(r.Settings, settingReport{Setting: s.String(), Front: slices.Contains(f.front, i), Searched: reportedScore(f.first[i])})
	}
	for _, o := range f.finals {
		last := reportedScore(o.last)
		r.Settings[o.setting].HeldOut = &last
	}
	return r
}

func reportedScore(s simulate.Score) scoreReport {
	return scoreReport{s.Wait.Seconds(), s.Over, s.Billed.Hours(), s.Ratio()}
}

func (t task) final(f found, o final, s simulate.Spread) finalReport {
	return finalReport{
		Setting: f.tried[o.setting].String(), MetInWorlds: o.met, Worlds: worlds, Blocks: len(o.worlds[0]), BlockSeconds: t.block.Seconds(),
		Wait: [2]float64{s.Wait.Low.Seconds(), s.Wait.High.Seconds()}, Over: [2]float64{s.Over.Low, s.Over.High}, Ratio: [2]float64{s.Ratio.Low, s.Ratio.High},
	}
}

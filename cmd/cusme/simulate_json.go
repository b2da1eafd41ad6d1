package main

import "cusme.dev/cusme/internal/simulate"

// A simulationReport is the JSON of cusme simulate, an interface for scripts,
// which docs/simulate.schema.json describes. Times are seconds, shares 0 to 1.
type simulationReport struct {
	Notes []string        `json:"notes"`
	Runs  []simulationRun `json:"runs"`
}

// A simulationRun is what a policy made of a trace.
type simulationRun struct {
	Trace            string      `json:"trace"`
	Policy           string      `json:"policy"`
	SpanSeconds      float64     `json:"spanSeconds"`
	Requests         int64       `json:"requests"`
	Wait             waitSeconds `json:"wait"`
	GPUHours         float64     `json:"gpuHours"`
	OfferedGPUHours  float64     `json:"offeredGpuHours"`
	StartingGPUHours float64     `json:"startingGpuHours"`
	WastedGPUHours   float64     `json:"wastedGpuHours"`
	Ratio            float64     `json:"ratio"`
	// BestGPUHours is what somebody spends who knows the demand beforehand, with waits up to the limit; NoWaitGPUHours with none.
	BestGPUHours   float64  `json:"bestGpuHours"`
	NoWaitGPUHours float64  `json:"noWaitGpuHours"`
	Cost           *float64 `json:"cost,omitempty"`
	Started        int64    `json:"started"`
	Removed        int64    `json:"removed"`
	RemovedYoung   int64    `json:"removedYoung"`
	Moves          int64    `json:"moves"`
	Reversals      int64    `json:"reversals"`
	Lost           int64    `json:"lost"`
	// TookSeconds is how long the replay ran, by the clock.
	TookSeconds float64 `json:"tookSeconds"`
}

type waitSeconds struct {
	Mean      float64 `json:"meanSeconds"`
	P50       float64 `json:"p50Seconds"`
	P95       float64 `json:"p95Seconds"`
	P99       float64 `json:"p99Seconds"`
	Max       float64 `json:"maxSeconds"`
	Limit     float64 `json:"limitSeconds"`
	OverLimit float64 `json:"overLimit"`
}

func (r *rehearsal) summary(p plan, outcomes []outcome) simulationReport {
	report := simulationReport{Notes: p.notes}
	for i, o := range outcomes {
		run := runOf(o, p.entries[i%len(p.entries)].world)
		if r.price > 0 {
			cost := r.price * run.GPUHours
			run.Cost = &cost
		}
		report.Runs = append(report.Runs, run)
	}
	return report
}

func runOf(o outcome, w simulate.World) simulationRun {
	return simulationRun{
		Trace: o.Trace, Policy: o.Policy, SpanSeconds: o.Span.Seconds(), Requests: o.Requests,
		Wait: waitSeconds{
			Mean: o.Waits.Mean.Seconds(), P50: o.Waits.P50.Seconds(), P95: o.Waits.P95.Seconds(), P99: o.Waits.P99.Seconds(),
			Max: o.Waits.Max.Seconds(), Limit: w.Limit.Seconds(), OverLimit: o.Waits.Over,
		},
		GPUHours: o.Billed.Hours(), OfferedGPUHours: o.Offered.Hours(), StartingGPUHours: o.Starting.Hours(), WastedGPUHours: o.Wasted.Hours(),
		Ratio: o.Ratio(), BestGPUHours: o.bound.Relaxed.Hours(), NoWaitGPUHours: o.bound.NoWait.Hours(), Started: o.Started, Removed: o.Removed, RemovedYoung: o.Young, Moves: o.Moves, Reversals: o.Reversals, Lost: o.Lost,
		TookSeconds: o.took.Seconds(),
	}
}

package main

import (
	"math"
	"time"
)

// startup is how long pods take to become Ready: lognormal, as real starts are (most near the median, a long tail of cold
// image pulls), and given by the two numbers people know about their own pods.
type startup struct {
	Median time.Duration `json:"median"`
	P99    time.Duration `json:"p99"`
}

// z99 is the standard normal's 99th percentile.
const z99 = 2.3263478740

// sigma is the lognormal's shape; its scale is the median.
func (s startup) sigma() float64 {
	if s.Median <= 0 || s.P99 <= s.Median {
		return 0
	}
	return math.Log(float64(s.P99)/float64(s.Median)) / z99
}

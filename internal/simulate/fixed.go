package simulate

import "fmt"

// Fixed keeps n replicas, whatever the load.
func Fixed(n int32) Contender {
	return Contender{Name: fmt.Sprintf("fixed at %d", n), New: func(World) Policy { return fixed(n) }}
}

type fixed int32

// Decide implements Policy.
func (n fixed) Decide(*Sight) Move { return Move{Replicas: int32(n)} }

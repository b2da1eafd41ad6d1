package load

import "sync"

// An echo is what came back from one of several that were asked.
type echo struct {
	index  int
	answer answer
	err    error
}

// askEach asks count of them, at most so many at a time, and hears what comes
// back. It is heard one after the other: parsed, thirty-two answers at a time
// could take a gigabyte.
func askEach(count, atATime int, ask func(index int) (answer, error), hear func(echo)) {
	queue := make(chan int, count)
	for i := range count {
		queue <- i
	}
	close(queue)
	echoes := make(chan echo)
	var asking sync.WaitGroup
	for range min(count, atATime) {
		asking.Go(func() {
			for i := range queue {
				a, err := ask(i)
				echoes <- echo{i, a, err}
			}
		})
	}
	for range count {
		hear(<-echoes)
	}
	asking.Wait()
}

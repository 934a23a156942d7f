package nnn

import (
	"runtime"
	"sync"
)

// shares is the size of equal parts of n, one per processor, of `least` at least.
func shares(n, least int) int {
	threads := runtime.GOMAXPROCS(0)
	if size := (n + threads - 1) / threads; size > least {
		return size
	}
	return least
}

// ranges is the size of ranges of n gallery rows that keep the processors busy, and are long enough for the check of the bank not
// to count.
func ranges(n int) int {
	threads := runtime.GOMAXPROCS(0)
	size := (n + 8*threads - 1) / (8 * threads)
	if size < 1024 {
		size = 1024
	}
	if share := shares(n, 1); size > share {
		return share
	}
	return size
}

// parallel runs f over [0, n) in parts of a size, on a goroutine per processor; the error of the first part that has one. With n = 0
// it runs f once, for what is checked without rows.
func parallel(n, size int, f func(first, count int) error) error {
	parts := (n + size - 1) / size
	if parts <= 1 {
		return f(0, n)
	}
	errs := make([]error, parts)
	next := make(chan int, parts)
	for i := 0; i < parts; i++ {
		next <- i
	}
	close(next)
	threads := runtime.GOMAXPROCS(0)
	if threads > parts {
		threads = parts
	}
	var group sync.WaitGroup
	group.Add(threads)
	for t := 0; t < threads; t++ {
		go func() {
			defer group.Done()
			for i := range next {
				first, count := i*size, size
				if count > n-first {
					count = n - first
				}
				errs[i] = f(first, count)
			}
		}()
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seed-5f06b232/astra-go/astra"
)

// routeJob has a client read some keys of the table with one replica.
type routeJob struct {
	Client client
}

type routeResult struct{}

func route(ctx context.Context, j routeJob) (routeResult, error) {
	session, err := j.Client.connect(ctx)
	if err != nil {
		return routeResult{}, err
	}
	defer session.Close()
	for _, key := range keys[:200] {
		var value string
		if err := session.Query(selectRouted, key).ScanContext(ctx, &value); err != nil {
			return routeResult{}, err
		}
	}
	return routeResult{}, nil
}

// scaleJob has a client open many sessions of one configuration at once, and use each.
type scaleJob struct {
	Client   client
	Sessions int
	Nodes    int
}

type scaleResult struct {
	Seconds float64 // until each session had its first row
	Memory  float64 // KiB a session
}

func scale(ctx context.Context, j scaleJob) (scaleResult, error) {
	heap, stacks := memory()
	begin := time.Now()
	cluster, err := j.Client.cluster(ctx)
	if err != nil {
		return scaleResult{}, err
	}
	errs := make([]error, j.Sessions)
	slots := make(chan struct{}, 50) // sessions that open at a time
	var opening sync.WaitGroup
	closing := make(chan struct{})
	var open sync.WaitGroup
	for i := range errs {
		opening.Add(1)
		open.Go(func() {
			defer opening.Done()
			slots <- struct{}{}
			defer func() { <-slots }()
			session, err := astra.Connect(ctx, cluster)
			if err != nil {
				errs[i] = err
				return
			}
			open.Go(func() {
				<-closing
				session.Close()
			})
			var value string
			errs[i] = session.Query(selectValue, keys[i]).ScanContext(ctx, &value)
		})
	}
	opening.Wait()
	took := time.Since(begin)
	time.Sleep(time.Second) // for the connections that no row has to wait for
	heapThen, stacksThen := memory()
	close(closing)
	open.Wait()
	for i, err := range errs {
		if err != nil {
			return scaleResult{}, fmt.Errorf("session %d: %w", i, err)
		}
	}
	return scaleResult{took.Seconds(), (heapThen + stacksThen - heap - stacks) / float64(j.Sessions)}, nil
}

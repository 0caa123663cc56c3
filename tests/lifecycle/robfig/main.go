// Writes a table of schedules anew, with the times that Kubernetes' CronJob (which reads them with this library) would
// go by: go run . <table.txt >new && mv new table.txt
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"time"
	_ "time/tzdata"

	"github.com/robfig/cron/v3"
)

const count = 8

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			fmt.Println(lines.Text())
			continue
		}
		columns := strings.Split(strings.TrimSuffix(lines.Text(), " |"), " | ")
		moment, err := time.Parse(time.RFC3339, columns[2])
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s | %s | %s |", columns[0], columns[1], columns[2])
		schedule, err := cron.ParseStandard("TZ=" + columns[1] + " " + columns[0])
		if err != nil {
			fmt.Println(" refused")
			continue
		}
		for number := 0; number < count; number++ {
			if moment = schedule.Next(moment); moment.IsZero() {
				break
			}
			fmt.Print(" ", moment.UTC().Format("2006-01-02T15:04Z"))
		}
		fmt.Println()
	}
}

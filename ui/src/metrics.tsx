/** The metrics of a step as small line charts, drawn anew while it runs. */
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { api, ApiError } from "./api.ts";
import { brief, chart } from "./chart.ts";
import { pause } from "./stream.ts";
import { ended, type Series, type StepRecord } from "./types.ts";

const EVERY_MS = 2_000;
const WIDTH = 320;
const HEIGHT = 90;
const MARGIN = 4;

export function Metrics({ run, record }: { run: string; record: StepRecord }) {
  const series = useSignal<Series[] | null>(null);
  const failure = useSignal<string | null>(null);
  const over = ended(record.state);
  useEffect(() => {
    const stop = new AbortController();
    void (async () => {
      do {
        try {
          if (!document.hidden || series.value === null) series.value = (await api.metrics(run, record.key, stop.signal)).series;
          failure.value = null;
        } catch (error) {
          if (stop.signal.aborted) return;
          failure.value = error instanceof ApiError ? error.message : "The metrics cannot be read.";
        }
        if (!over || failure.value) await pause(EVERY_MS, stop.signal);
      } while ((!over || failure.value) && !stop.signal.aborted);
    })();
    return () => stop.abort();
  }, [run, record.key, record.attempt, over]);
  if (failure.value) return <p class="banner">{failure.value}</p>;
  if (!series.value) return <p class="muted">Loading …</p>;
  if (series.value.length === 0) return <p class="muted">It has told no metrics.</p>;
  return (
    <ul class="charts">
      {series.value.map((each) => (
        <Plot key={each.name} series={each} />
      ))}
    </ul>
  );
}

function Plot({ series }: { series: Series }) {
  const drawn = chart(series, WIDTH, HEIGHT);
  if (!drawn) {
    return (
      <li>
        <h3>{series.name}</h3>
        <p class="muted">None of its values is a number.</p>
      </li>
    );
  }
  const facts = `from ${brief(drawn.low)} to ${brief(drawn.high)} over steps ${brief(drawn.from)} to ${brief(drawn.to)}`;
  return (
    <li data-metric={series.name}>
      <h3>
        {series.name} <strong>{brief(drawn.last!)}</strong>
      </h3>
      <svg
        class="chart"
        viewBox={`${-MARGIN} ${-MARGIN} ${WIDTH + 2 * MARGIN} ${HEIGHT + 2 * MARGIN}`}
        role="img"
        aria-label={`${series.name}: ${facts}`}
        preserveAspectRatio="none"
      >
        <path d={drawn.path} />
      </svg>
      <p class="muted chart-facts">
        <span>
          {brief(drawn.low)} … {brief(drawn.high)}
        </span>
        <span>
          {series.values.length.toLocaleString("en")} points, steps {brief(drawn.from)} to {brief(drawn.to)}
        </span>
      </p>
    </li>
  );
}

// Figures that enlarge and show values of their points, and a table of claims that sorts. Without
// this script the page has its static figures, and the table in the order of the study.
{
  const NEAR = 12; // largest distance to a point, in pixels
  const BESIDE = 0.1; // largest logarithm of the factor by which a mark is beside its place

  // Values from transformed coordinates, by the scale of the axis, as in matplotlib.scale.
  const INVERSE = {
    linear: (t) => t,
    log: (t, { base }) => base ** t,
    symlog: (t, { base, linthresh, linscale }) => {
      const size = Math.abs(t) / linthresh;
      const straight = linscale / (1 - 1 / base); // size of the linear part
      return size <= straight ? t / straight : Math.sign(t) * linthresh * base ** (size - straight);
    },
  };

  function valueAt(axis, point) {
    const { ends: [start, end], limits: [low, high] } = axis;
    return INVERSE[axis.scale](low + ((high - low) * (point - start)) / (end - start), axis);
  }

  // The value of the place that a mark is beside, or rounded to a ten-thousandth of the axis.
  function reading(axis, point) {
    const value = valueAt(axis, point);
    const away = (place) => Math.abs(Math.log(value / place));
    const [place] = [...(axis.places ?? [])].sort((a, b) => away(a) - away(b));
    const step = Math.abs(valueAt(axis, point + (axis.ends[1] - axis.ends[0]) / 1e4) - value);
    const digits = Math.min(100, Math.max(0, -Math.floor(Math.log10(step))));
    const found = away(place) < BESIDE ? place : Number(value.toFixed(digits));
    return `${axis.label} = ${String(found).replaceAll("-", "−")}`;
  }

  // Points of a mark in the SVG. A marker is a <use> at its point; other shapes have vertices.
  function pointsOf(mark, inside) {
    const [x, y] = ["x", "y"].map((name) => Number(mark.getAttribute(name)));
    if (mark.closest("[id^='PathCollection']")) {
      const box = mark.getBBox();
      return [[box.x + box.width / 2, box.y + box.height / 2]];
    }
    const used = mark.getAttribute("xlink:href");
    if (used && inside([x, y])) return [[x, y]];
    const path = used ? mark.ownerSVGElement.getElementById(used.slice(1)) : mark;
    const ends = /(-?[\d.]+) (-?[\d.]+)\s*(?=[A-Za-z]|$)/g; // of segments
    const found = (path.getAttribute("d") ?? "").matchAll(ends);
    return [...found].map(([, a, b]) => [x + Number(a), y + Number(b)]);
  }

  // An Axes with the points of its marks. Only data are clipped, not ticks and legends.
  function chartOf(group, { x, y }) {
    const outside = (place, [start, end]) => (place - start) * (place - end); // positive if it is
    // Allow for rounding. A bar that ends at the bottom or top may have been cut there.
    const inside = ([a, b]) => outside(a, x.ends) < 1e-3 && outside(b, y.ends) < -1e-3;
    const points = [...group.querySelectorAll("path[clip-path], [clip-path] > :is(path, use)")]
      .filter((mark) => mark.closest("[id^='axes_'], [id^='matplotlib.axis']") === group)
      .flatMap((mark) => pointsOf(mark, inside))
      .filter(inside);
    return { x, y, inside, points, image: group.querySelector("image") };
  }

  function chartsOf(svg) {
    const known = JSON.parse(svg.querySelector("#coordinates")?.textContent ?? "{}");
    const groups = [...svg.querySelectorAll("g")].filter(({ id }) => id in known);
    return groups.map((group) => chartOf(group, known[group.id]));
  }

  // The point under the pointer, or in an image the place itself; undefined if there is none.
  function under({ clientX, clientY }, svg, charts) {
    const frame = svg.getBoundingClientRect();
    const { width, height } = svg.viewBox.baseVal;
    const zoom = Math.min(frame.width / width, frame.height / height);
    const x = (clientX - frame.left - frame.width / 2) / zoom + width / 2;
    const y = (clientY - frame.top - frame.height / 2) / zoom + height / 2;
    const pictured = charts.find(({ image, inside }) => image && inside([x, y]));
    let found = pictured && { chart: pictured, point: [x, y], zoom };
    let least = NEAR / zoom;
    for (const chart of charts) {
      for (const point of chart.points) {
        const distance = Math.hypot(point[0] - x, point[1] - y);
        if (distance < least) [least, found] = [distance, { chart, point, zoom }];
      }
    }
    return found;
  }

  function drawingOf(image) {
    const [kind, content] = image.src.split(",");
    if (!kind.includes("svg")) return image.cloneNode();
    const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
    const text = new TextDecoder().decode(bytes);
    const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", image.alt);
    return svg;
  }

  function keysOf(panzoom, dialog) {
    const motion = () => ({ animate: !matchMedia("(prefers-reduced-motion: reduce)").matches });
    const move = (x, y) => () => {
      const step = 60 / panzoom.getScale(); // pixels on the screen
      panzoom.pan(step * x, step * y, { relative: true, ...motion() });
    };
    const closer = () => panzoom.zoomIn(motion());
    return {
      "+": closer, "=": closer,
      "-": () => panzoom.zoomOut(motion()), "0": () => panzoom.reset(motion()),
      ArrowLeft: move(1, 0), ArrowRight: move(-1, 0), ArrowUp: move(0, 1), ArrowDown: move(0, -1),
      Escape: () => dialog.close(),
    };
  }

  function enlargeable(dialog) {
    const parts = ["h2", ".stage", "output"];
    const [title, stage, output] = parts.map((part) => dialog.querySelector(part));
    const canvas = stage.firstElementChild;
    const options = { canvas: true, contain: "outside", cursor: "grab", maxScale: 20, minScale: 1 };
    const panzoom = Panzoom(canvas, options);
    const keys = keysOf(panzoom, dialog);
    const here = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    here.setAttribute("class", "here");
    here.setAttribute("r", 6);
    let [drawing, charts, pointer] = [null, [], null];

    function show() {
      const found = pointer && charts.length && under(pointer, drawing, charts);
      here.remove();
      output.value = charts.length ? output.dataset.hint : "";
      if (!found) return;
      const { chart, point, zoom } = found;
      output.value = `${reading(chart.x, point[0])}; ${reading(chart.y, point[1])}`;
      here.setAttribute("transform", `translate(${point}) scale(${1 / zoom})`);
      drawing.append(here);
    }

    function open(figure) {
      drawing = drawingOf(figure.querySelector("img"));
      title.textContent = figure.closest("article").querySelector("h3").textContent;
      canvas.replaceChildren(drawing);
      dialog.showModal();
      panzoom.reset({ animate: false });
      [pointer, charts] = [null, chartsOf(drawing)];
      show();
    }

    const track = (event) => { pointer = event; show(); };
    stage.onpointermove = track;
    stage.addEventListener("pointerdown", track, { capture: true }); // Panzoom stops it later
    stage.onpointerleave = (event) => event.pointerType === "mouse" && track(null);
    stage.addEventListener("wheel", (event) => {
      const step = Math.abs(event.deltaY) * (event.ctrlKey ? 0.03 : 0.003); // a touchpad's is small
      panzoom.zoomWithWheel(event, { step: Math.min(0.3, step) });
    }, { passive: false });
    canvas.addEventListener("panzoomchange", () => dialog.open && show());
    dialog.onclose = () => canvas.replaceChildren();
    dialog.onkeydown = (event) => {
      if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      keys[event.key]();
    };
    for (const button of dialog.querySelectorAll("button")) button.onclick = keys[button.value];
    for (const button of document.querySelectorAll(".enlarge")) {
      const figure = button.closest("figure");
      button.hidden = false;
      button.onclick = figure.querySelector("img").onclick = () => open(figure);
    }
  }

  // A button in each header cell: ascending, descending, then the order of the study again.
  function sortable(table) {
    const [body, heads] = [table.tBodies[0], [...table.tHead.rows[0].cells]];
    const [rows, { compare }] = [[...body.rows], new Intl.Collator("en", { numeric: true })];
    const next = { ascending: ["descending", -1], descending: [null, 0] };
    heads.forEach((head, column) => {
      const key = ({ cells }) => cells[column].dataset.key ?? cells[column].textContent.trim();
      const button = document.createElement("button");
      button.append(...head.childNodes);
      head.append(button);
      button.onclick = () => {
        const [order, sign] = next[head.getAttribute("aria-sort")] ?? ["ascending", 1];
        heads.forEach((one) => one.removeAttribute("aria-sort"));
        if (order) head.setAttribute("aria-sort", order);
        body.append(...[...rows].sort((a, b) => sign * compare(key(a), key(b))));
      };
    });
  }

  enlargeable(document.querySelector("#enlarged"));
  document.querySelectorAll("table.claims").forEach(sortable);
}

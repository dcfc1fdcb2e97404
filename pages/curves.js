// The body of the function that Gradio calls with `element`, `props` and `watch` when drawings
// are mounted. gr.Plot makes a new drawing for every value, which loses the zoom and flickers;
// here the drawings stay and are changed in place.
const config = { displayModeBar: false, responsive: false };
const isTouch = window.matchMedia("(pointer: coarse)").matches; // a swipe scrolls the page

const draw = () => {
  const { version, figures } = JSON.parse(props.value || '{"version": "", "figures": {}}');
  const root = element.querySelector(".curves");
  root.hidden = !Object.keys(figures).length;
  for (const [key, { data, layout }] of Object.entries(figures)) {
    const place = root.querySelector(`[data-curve="${key}"] > div`);
    layout.dragmode = isTouch ? false : "zoom";
    window.Plotly.react(place, data, { ...layout, autosize: true }, config);
    if (!place.dataset.follows) {
      place.dataset.follows = "1";
      new ResizeObserver(() => place.offsetWidth && window.Plotly.Plots.resize(place)).observe(place);
    }
  }
  root.dataset.version = version;
};

// Gradio loads Plotly with the first gr.Plot of the page.
const drawWhenLoaded = (tries = 600) => {
  if (window.Plotly) draw();
  else if (tries && element.isConnected) setTimeout(() => drawWhenLoaded(tries - 1), 100);
};
drawWhenLoaded();
watch("value", () => drawWhenLoaded()); // by an event; live.js calls it by itself

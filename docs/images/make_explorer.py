"""Draw explorer.png beside this script, the picture of docs/explorer.md, with a headless Chromium."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from sklearn.datasets import load_diabetes

from hme import HMERegressor
from hme.report import html

CLICKS = """<script>window.addEventListener("load", () => {
  document.getElementById("leaf2").dispatchEvent(new MouseEvent("click", { bubbles: true }));
  document.querySelectorAll("tr.row")[2].click();
  document.getElementById("pin").click();
  const slider = document.getElementById("slider2");
  slider.value = slider.max;
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  window.scrollTo(0, 0);
});</script></body>"""

browser = next(path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path)
X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
model = HMERegressor(depth=2, random_state=0).fit(X, y)
with tempfile.TemporaryDirectory() as folder:
    page = Path(folder) / "page.html"
    page.write_text(html(model, X, y, title="Diabetes").replace("</body>", CLICKS), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1240,1430"]
    command += [f"--user-data-dir={folder}/profile", "--virtual-time-budget=4000"]
    picture = Path(__file__).with_name("explorer.png")
    subprocess.run([*command, f"--screenshot={picture}", page.as_uri()], check=True, capture_output=True)

import { html, nothing, type TemplateResult } from 'lit-html';
import type { Job } from '../api.ts';
import { hasEnded } from '../run/follow.ts';
import type { History } from '../run/history.ts';
import { problemView, status, when } from './parts.ts';

/** The tenant's segmentations, the newest first. */
export function historyView(model: History, onShow: (job: Job) => void): TemplateResult {
  const { jobs } = model;
  return html`<div class="page">
    <div class="heading">
      <h2>Segmentations</h2>
      <button @click=${() => void model.load()}>Refresh</button>
    </div>
    <p class="fine">Results are kept for a day, what is known of them for 30 days.</p>
    ${problemView(model.problem)}
    ${
      jobs === null
        ? html`<p class="fine">Looking…</p>`
        : jobs.length === 0
          ? html`<p>None yet. <a href="#/segment">Segment an image.</a></p>`
          : html`<div class="scroll" tabindex="0" role="region" aria-label="Segmentations">
              <table class="jobs">
                <thead>
                  <tr>
                    <th scope="col">When</th>
                    <th scope="col">Adapter</th>
                    <th scope="col">What</th>
                    <th scope="col">State</th>
                    <th scope="col"><span class="unseen">Actions</span></th>
                  </tr>
                </thead>
                <tbody>
                  ${jobs.map((job) => jobView(model, job, onShow))}
                </tbody>
              </table>
            </div>`
    }
  </div>`;
}

function jobView(model: History, job: Job, onShow: (job: Job) => void): TemplateResult {
  const kept = job.status === 'succeeded' && job.expires_at !== null && Date.parse(job.expires_at) > Date.now();
  const name = `${job.adapter}${job.version === null ? '' : `@${job.version}`}`;
  return html`<tr>
    <td>${when(job.created_at)}</td>
    <th scope="row">${name}</th>
    <td>${job.output}</td>
    <td>
      ${status(job.status)}${job.status === 'running' ? html` ${Math.round(100 * job.progress)} %` : nothing}
      ${job.problem === null ? nothing : html`<p class="fine">${job.problem.detail} <code>${job.problem.code}</code></p>`}
    </td>
    <td class="actions">
      ${
        kept && job.output === 'labels' && job.format === 'nifti'
          ? html`<button aria-label="Show the result of ${name}" @click=${() => onShow(job)}>Show</button>`
          : nothing
      }
      ${kept ? html`<button aria-label="Save the result of ${name}" @click=${() => void model.save(job)}>Save</button>` : nothing}
      <button class="quiet" aria-label="${hasEnded(job) ? 'Erase' : 'Cancel'} ${name}" @click=${() => void model.remove(job)}>
        ${hasEnded(job) ? 'Erase' : 'Cancel'}
      </button>
    </td>
  </tr>`;
}

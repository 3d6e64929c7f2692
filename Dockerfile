# The tools: TypeScript and what else the build needs.
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

# What runs, installed apart: neither the tools nor the npm package `node`, which is one of them.
FROM node:24.21.0-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev && npm cache clean --force

FROM node:24.21.0-bookworm-slim
ENV NODE_ENV=production PENSTOCK_CONFIG=/etc/penstock/penstock.yml
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
COPY schemas ./schemas
COPY bin ./bin
RUN ln -s /app/bin/penstock.js /usr/local/bin/penstock
USER node
# Of a command that serves no admin address, such as `topics apply`, the health means nothing.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9480/-/healthy').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["penstock"]
CMD ["--help"]
